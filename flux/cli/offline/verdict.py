"""What a verification found, as an answer: for people, for a pipe, as JSON, and in one sentence."""

from collections.abc import Iterable, Sequence
from typing import Any

from flux.cli.offline.verifying import Verified
from flux.cli.offline.words import counted, spanned
from flux.cli.shell.printing import Form, cell
from flux.storage.findings import Finding


class FindingLines:
    """A part of an answer: two lines a finding in a terminal, and in a pipe one, in columns.

    They are: damage or note, kind, log, file, position, bytes, offsets, what is wrong, what a start or a reader does about it.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._findings = findings

    def lines(self, form: Form) -> Iterable[str]:
        """See :class:`~flux.cli.shell.printing.Part`."""
        for found in self._findings:
            if form is Form.PLAIN:
                yield "\t".join(map(cell, _columns(found)))
            else:
                yield cell(f"{_grade(found)}: {found.kind.value} {_place(found)}".rstrip())
                yield cell(f"  {found.why}; {found.then}")


def document(path: str, verified: Verified) -> dict[str, Any]:
    """The whole answer, for JSON."""
    return {
        "directory": path,
        "broker_running": verified.was_live or verified.is_live,
        "damage": verified.damage,
        "notes": verified.notes,
        "not_shown": _not_shown(verified),
        "logs": [read._asdict() for read in verified.logs],
        "findings": [_finding(found) for found in verified.findings],
    }


def summary(verified: Verified) -> str:
    """One sentence: what was read, and whether it is as it should be."""
    reads = verified.logs
    what = ", ".join(
        (
            counted(len(reads), "log"),
            counted(sum(read.segments for read in reads), "segment"),
            counted(sum(read.records for read in reads), "record"),
            counted(sum(read.bytes for read in reads), "byte"),
        )
    )
    found = [counted(verified.damage, "finding") + " of damage"] if verified.damage else ["clean"]
    if verified.notes:
        found.append(counted(verified.notes, "note"))
    if _not_shown(verified):
        found.append(f"{_not_shown(verified)} of them not shown")
    return f"{what}: {', '.join(found)}."


def _not_shown(verified: Verified) -> int:
    return verified.damage + verified.notes - len(verified.findings)


def _grade(found: Finding) -> str:
    return "note" if found.harmless else "damage"


def _place(found: Finding) -> str:
    pieces = ["/".join(filter(None, (found.log, found.file)))]
    if found.position is not None:
        pieces.append(f"at byte {found.position}, {counted(found.size_bytes or 0, 'byte')}")
    if found.first is not None and found.next is not None:
        pieces.append(spanned(found.first, found.next))
    return ", ".join(filter(None, pieces))


def _columns(found: Finding) -> tuple[object, ...]:
    where = (found.log or None, found.file or None, found.position, found.size_bytes, found.offsets or None)
    return (_grade(found), found.kind.value, *where, found.why, found.then)


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "grade": _grade(found),
        "kind": found.kind.value,
        "log": found.log or None,
        "file": found.file or None,
        "position": found.position,
        "bytes": found.size_bytes,
        "first_offset": found.first,
        "next_offset": found.next,
        "why": found.why,
        "then": found.then,
    }
