"""One PRODUCE line in any spelling: where its parts begin and end."""

from flux.errors import BadRequest
from flux.model import Acks
from flux.wire.encoding import BLANKS, Encoding, shown
from flux.wire.values import read_choice, read_integer, read_topic, spellings

USAGE = "<topic> <key>:<value> [acks=0|1|all] [enc=pct|b64] [key=null] [null=1] [ts=<unix ms>]"
DEFAULT_ACKS = Acks.LEADER
ACKS = spellings(Acks)

_OPTIONS = frozenset((b"acks", b"enc", b"key", b"null", b"ts"))
_ENCODINGS = spellings(Encoding)
_COLON, _EQUALS, _TAB = b":=\t"  # `in` finds a byte by its number eight times as fast as by its bytes


def read_line(arguments: bytes) -> tuple[str, bytes | None, bytes | None, Acks, int | None]:
    """Any spelling: topic, key, value, acks and timestamp. :raises BadRequest: names the field, the value and the way out."""
    arguments = arguments.lstrip(BLANKS)
    word, _, rest = arguments.partition(b" ")
    if _TAB in word:
        word, _, rest = arguments.partition(b"\t")
    topic = read_topic(word)
    key, colon, text = rest.lstrip(BLANKS).partition(b":")
    if not colon:
        raise BadRequest(f"key: there is no colon to end it in {shown(rest)}; usage: PRODUCE {USAGE}")
    value, options = _split_options(text)
    acks, timestamp_ms, encoding = DEFAULT_ACKS, None, None
    for name, given in options.items():
        if name == b"acks":
            acks = read_choice("acks", given, ACKS)
        elif name == b"ts":
            timestamp_ms = read_integer("ts", given, minimum=0)
        elif name == b"enc":
            encoding = read_choice("enc", given, _ENCODINGS)
    return (
        topic,
        _null_or("key", key, encoding, options.get(b"key"), "key=null"),
        _null_or("value", value, encoding, options.get(b"null"), "null=1"),
        acks,
        timestamp_ms,
    )


def _split_options(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The value, and the options at its end by their names in lower case."""
    options: dict[bytes, bytes] = {}
    while _EQUALS in text:
        trimmed = text.rstrip(BLANKS)
        start = option_start(trimmed)
        if not start:
            break
        name, _, value = trimmed[start:].partition(b"=")
        name = name.lower()
        if name in options:
            raise BadRequest(
                f"{name.decode()}: it is there twice, as {shown(value)} and as {shown(options[name])}; give it once"
            )
        options[name] = value
        text = trimmed[:start].rstrip(BLANKS)
    return text, options


def option_start(text: bytes) -> int:
    """Where the last word begins if it is an option, else 0; what nothing separates from the colon before *text* is none."""
    start = text.rfind(b" ") + 1
    word = text[start:]
    if _TAB in word:
        start = text.rfind(b"\t") + 1
        word = text[start:]
    name, equals, _ = word.partition(b"=")
    return start if equals and name.lower() in _OPTIONS else 0


def _null_or(what: str, text: bytes, encoding: Encoding | None, null: bytes | None, spelled: str) -> bytes | None:
    """A key or a value; *null* is what the option says that denies it."""
    if null is None:
        return text if encoding is None else encoding.decode(what, text)
    option, _, word = spelled.partition("=")
    if null.lower() != word.encode():
        raise BadRequest(f"{option}: {shown(null)} is not known here; write {spelled}, or leave it out")
    if text:
        raise BadRequest(f"{what}: {shown(text)} is there although {spelled} says there is none; leave one of them out")
    return None


def travels_plain(key: bytes, value: bytes) -> bool:
    """Whether both come back as they are from a line that ends in an option."""
    return not (
        _COLON in key
        or key.lstrip(BLANKS) != key
        or value.rstrip(BLANKS) != value
        or option_start(value)
        or (key + value).translate(None, b"\r\n") != key + value
    )
