"""A dump as text: lines for people, columns for a pipe, an object a line as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from flux.cli.offline import group_log
from flux.cli.offline.data_files import GROUP_LOG
from flux.cli.offline.dumping import Bad, Batch
from flux.cli.offline.words import counted, spanned
from flux.cli.shell.moments import moment
from flux.cli.shell.octets import exact, legible
from flux.cli.shell.printing import Form, cell, compact
from flux.compression import CODECS
from flux.errors import StorageError
from flux.model import Header, Record


def lines(found: Batch | Bad, form: Form, *, batches: bool) -> Iterator[str]:
    """*found* without line ends: damage always, the batch itself if *batches*, and what records it has."""
    if isinstance(found, Bad):
        yield _rendered(_bad(found), _bad_in_words(found), form)
        return
    if batches:
        yield _rendered(_batch(found), _batch_in_words(found), form)
    for record in found.records:
        item = _record(found.where.log, record, found.sound.header.leader_epoch, parsed=form is Form.JSON)
        yield _rendered(item, f"  {_record_in_words(found.where.log, record)}" if form is Form.TABLE else "", form)


def _rendered(item: Mapping[str, object], words: str, form: Form) -> str:
    if form is Form.JSON:
        return compact(item)
    return cell(words) if form is Form.TABLE else "\t".join(map(cell, item.values()))


def _bad(found: Bad) -> dict[str, Any]:
    return {
        "type": "damage",
        "log": found.where.log,
        "file": found.where.file,
        "position": found.position,
        "bytes": found.size_bytes,
        "offset": found.first,
        "why": found.why,
    }


def _bad_in_words(found: Bad) -> str:
    file = f"{found.where.log}/{found.where.file}"
    return f"damage in {file} at byte {found.position}, {counted(found.size_bytes, 'byte')}, offset {found.first}: {found.why}"


def _batch(found: Batch) -> dict[str, Any]:
    header = found.sound.header
    return {
        "type": "batch",
        "log": found.where.log,
        "file": found.where.file,
        "position": found.sound.position,
        "bytes": header.length,
        "base_offset": header.base_offset,
        "next_offset": header.next_offset,
        "records": header.count,
        "leader_epoch": header.leader_epoch,
        "max_timestamp_ms": header.max_timestamp_ms,
        "compression": _codec(header.compression),
        "producer_id": None if header.producer_id < 0 else header.producer_id,
        "control": header.is_control,
    }


def _batch_in_words(found: Batch) -> str:
    header = found.sound.header
    pieces = [
        f"batch {found.where.log}/{found.where.file} at byte {found.sound.position}, {counted(header.length, 'byte')}",
        spanned(header.base_offset, header.next_offset),
        counted(header.count, "record"),
        f"epoch {header.leader_epoch}",
        moment(header.max_timestamp_ms),
    ]
    if header.compression:
        pieces.append(_codec(header.compression))
    if header.producer_id >= 0:
        pieces.append(f"producer {header.producer_id}")
    if header.is_control:
        pieces.append("control")
    return ", ".join(pieces)


def _record(log: str, record: Record, epoch: int, *, parsed: bool) -> dict[str, Any]:
    """*parsed*: for JSON, which keeps what columns only show."""
    item = {"type": "record", "log": log, "offset": record.offset, "timestamp_ms": record.timestamp_ms}
    headers = [[_name(header), legible(header.value)] for header in record.headers]
    if not parsed:
        return {**item, "epoch": epoch, "key": legible(record.key), "value": legible(record.value), "headers": headers}
    problem = {}
    content = exact("key", record.key) | exact("value", record.value)
    if log == GROUP_LOG:
        try:
            content = dict(zip(("key", "value"), group_log.as_json(record), strict=True))
        except StorageError as error:
            problem = {"problem": str(error)}
    return {**item, "leader_epoch": epoch, **content, "headers": headers, **problem}


def _record_in_words(log: str, record: Record) -> str:
    when = f"{record.offset}  {moment(record.timestamp_ms)}"
    if log == GROUP_LOG:
        try:
            return f"{when}  {group_log.in_words(record)}"
        except StorageError as error:
            return f"{when}  {error}"
    headers = "".join(f"  {_name(header)}: {legible(header.value)}" for header in record.headers)
    key = "" if record.key is None else f"{legible(record.key)}  "
    value = "(no value)" if record.value is None else legible(record.value)
    return f"{when}  {key}{value}{headers}"


def _name(header: Header) -> str | None:
    return legible(header.key.encode("utf-8", "surrogateescape"))


def _codec(number: int) -> str:
    return "none" if not number else CODECS.get(number, str(number))
