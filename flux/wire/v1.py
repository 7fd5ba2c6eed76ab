r"""Frames of protocol V1, and what a request, a reply and a run are.

::

    request   V1|<correlation id>|<command>|<args>\n
    success   V1|<correlation id>|OK|<payload>\n
    error     V1|<correlation id>|ERR|<CODE>|<message>\n
"""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple, Protocol, Self

from flux.errors import BadRequest
from flux.wire.encoding import BLANKS, shown

MAX_CUT = 4096  # requests in a run: what one pass of a handler may hold and make others wait for
MAX_MESSAGE = 1000  # characters of an error: a message that repeats a value must not become as long as that
NO_ID = b"0"  # what a line that is no frame is answered under

_NOT_SPELLED = b"\n"  # equals no command
_REMEMBERED = 64  # bytes of a command whose name is remembered, and commands: whatever a client sends would fill memory
_BLANK: Final = 0x20
_CR, _PIPE = ord("\r"), ord("|")  # `in` finds a byte by its number eight times as fast as by its bytes


class Request(Protocol):
    """One command's arguments, read and written."""

    COMMAND: ClassVar[str]  # upper case
    USAGE: ClassVar[str]  # the arguments in one line, as HELP prints them
    HELP: ClassVar[str]  # a paragraph for a person at nc

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""

    def encode(self) -> bytes:
        """The arguments as a client sends them."""


class Reply(Protocol):
    """One success payload, written and read."""

    def encode(self) -> bytes:
        """``name=value`` fields joined by one blank."""

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is not such a payload."""


class Replies(Protocol):
    """The answers to one run, in its order."""

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        """Whole answer lines, newlines included, one for each id."""


class Run(Protocol):
    """Consecutive requests of one command, decoded in one pass into columns."""

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str]
    HELP: ClassVar[str]

    @classmethod
    def decode_run(cls, arguments: Sequence[bytes]) -> Self:
        """Never raises: a request that cannot be read is remembered under its position and answered there."""


class Lines:
    """A run before it is decoded: ids and arguments of consecutive requests with one command.

    ``command`` is upper case; it is empty for lines that are no frame, whose ``arguments`` then hold what is wrong with each.
    """

    __slots__ = ("arguments", "command", "correlation_ids")

    # No NamedTuple, which compiled code makes by a call into the interpreter: 5.1 → 4.8 µs a request.
    def __init__(self, command: str, correlation_ids: list[bytes], arguments: list[bytes]) -> None:
        self.command = command
        self.correlation_ids = correlation_ids
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Lines({self.command!r}, {self.correlation_ids!r}, {self.arguments!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and repr(self) == repr(other)


class OkReply(NamedTuple):
    """A request that succeeded."""

    correlation_id: bytes
    payload: bytes


class ErrReply(NamedTuple):
    """A request that failed: a wire code (see :data:`flux.errors.BY_CODE`) and a sentence."""

    correlation_id: bytes
    code: str
    message: str


def cut(lines: list[bytes]) -> list[Lines]:
    """The complete lines of one chunk, without their LF, as runs of consecutive requests with one command.

    A run holds at most :data:`MAX_CUT` requests. Never raises: see :class:`Lines` for what is no frame.
    """
    if len(lines) <= MAX_CUT:
        return _cut(lines)
    return [run for start in range(0, len(lines), MAX_CUT) for run in _cut(lines[start : start + MAX_CUT])]


def _cut(lines: list[bytes]) -> list[Lines]:
    runs: list[Lines] = []
    name = ""
    spelled = _NOT_SPELLED  # the open run's command, as its last request wrote it
    correlation_ids: list[bytes] = []
    arguments: list[bytes] = []
    for line in lines:
        try:
            version, correlation_id, command, text = line.split(b"|", 3)
        except ValueError:
            command = _NOT_SPELLED
        else:
            # What clients write, read without a call: nothing to trim. Whatever begins or ends with a blank, or something below it such
            # as the CR of a line's end, is left to _read.
            if (
                version == b"V1"
                and correlation_id
                and correlation_id[0] > _BLANK
                and correlation_id[-1] > _BLANK
                and (not text or (text[0] > _BLANK and text[-1] > _BLANK))
                and (command == spelled or (len(command) <= _REMEMBERED and (named := _name_of(command))))
            ):
                if command != spelled:
                    before, name, spelled = name, named, command
                    if name != before or not runs:
                        correlation_ids, arguments = [], []
                        runs.append(Lines(name, correlation_ids, arguments))
                correlation_ids.append(correlation_id)
                arguments.append(text)
                continue
        before = name
        name, correlation_id, text = _read(line)
        spelled = command if name else _NOT_SPELLED
        if name != before or not runs:
            correlation_ids, arguments = [], []
            runs.append(Lines(name, correlation_ids, arguments))
        correlation_ids.append(correlation_id)
        arguments.append(text)
    return runs


_names: dict[bytes, str] = {}


def _name_of(command: bytes) -> str:
    """The command spelled so; empty if there is something to trim, or nothing there."""
    name = _names.get(command)
    if name is None:  # no lru_cache, which compiled code asks by way of the interpreter
        if len(_names) >= _REMEMBERED:
            _names.clear()
        name = _names[command] = _upper(command) if command.strip() is command else ""
    return name


def _upper(command: bytes) -> str:
    # bytes.upper() first: it knows ASCII only, str.upper() would make two commands of one letter ß.
    return command.upper().decode("utf-8", "backslashreplace")


def _read(line: bytes) -> tuple[str, bytes, bytes]:
    """Any line: command, correlation id and arguments; without a command, what is wrong with it instead of arguments."""
    line = line.removesuffix(b"\r").strip(BLANKS)
    parts = [part.strip(BLANKS) for part in line.split(b"|", 3)]
    if not line:
        reason = "frame: the line is empty"
    elif len(parts) < 4:
        reason = f"frame: {shown(line)} has {len(parts)} of 4 parts; an argument-less command ends in |"
    elif parts[0] != b"V1":
        reason = f"version: {shown(parts[0])} is not spoken here, V1 is"
    elif not parts[1]:
        reason = "correlation id: it is empty; any text without | will do"
    elif not parts[2]:
        reason = "command: it is empty; HELP lists the commands"
    else:
        return _upper(parts[2]), parts[1], parts[3]
    return "", NO_ID, f"{reason}; write V1|<correlation id>|<command>|<arguments>".encode()


def ok_line(correlation_id: bytes, payload: bytes) -> bytes:
    """A whole success line, LF included."""
    return b"V1|%b|OK|%b\n" % (correlation_id, payload)


def error_line(correlation_id: bytes, code: str, message: str) -> bytes:
    """A whole error line, LF included; line ends in *message* become blanks, and a long one is cut."""
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    text = message.replace("\r", " ").replace("\n", " ").encode("utf-8", "backslashreplace")
    return b"V1|%b|ERR|%b|%b\n" % (correlation_id, code.encode(), text)


def request_line(correlation_id: bytes, command: str, arguments: bytes) -> bytes:
    """A whole request line, LF included. :raises BadRequest: it would be read as something else."""
    name = command.encode("utf-8", "backslashreplace")
    for field, part in (("correlation id", correlation_id), ("command", name)):
        if not part or _PIPE in part or part.strip(BLANKS) != part:
            raise BadRequest(f"{field}: {shown(part)} cannot be sent; use text without | and without blanks around it")
    line = b"V1|%b|%b|%b\n" % (correlation_id, name, arguments)
    if _CR in line or line.find(b"\n") != len(line) - 1:
        raise BadRequest(f"frame: {shown(line[:-1])} holds a line end; encode it with enc=pct or enc=b64")
    return line


def parse_reply(line: bytes) -> OkReply | ErrReply:
    """One answer line, with or without its end. :raises BadRequest: it is none."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    parts = line.split(b"|", 3)
    if len(parts) == 4 and parts[0] == b"V1" and parts[1]:
        _, correlation_id, outcome, rest = parts
        if outcome == b"OK":
            return OkReply(correlation_id, rest)
        if outcome == b"ERR":
            code, _, message = rest.partition(b"|")
            return ErrReply(correlation_id, code.decode("utf-8", "replace"), message.decode("utf-8", "replace"))
    raise BadRequest(f"reply: {shown(line)} is neither V1|<id>|OK|<payload> nor V1|<id>|ERR|<code>|<message>")
