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
    if _EQUALS not in text:
        return topic, key, text, DEFAULT_ACKS, None
    value, options = _split_options(text)
    acks_word, ts_word = options.pop(b"acks", None), options.pop(b"ts", None)
    acks = DEFAULT_ACKS if acks_word is None else read_choice("acks", acks_word, ACKS)
    timestamp_ms = None if ts_word is None else read_integer("ts", ts_word, minimum=0)
    if not options:
        return topic, key, value, acks, timestamp_ms
    encoding = read_choice("enc", options[b"enc"], _ENCODINGS) if b"enc" in options else None
    return (
        topic,
        _null_or("key", key, encoding, options.get(b"key"), "key=null"),
        _null_or("value", value, encoding, options.get(b"null"), "null=1"),
        acks,
        timestamp_ms,
    )


def ends_in_option(text: bytes) -> bool:
    """Whether the last word is one; what nothing separates from the colon before *text* is none."""
    return _last_option(text) is not None


def _split_options(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The value, and the options at its end by their names in lower case."""
    options: dict[bytes, bytes] = {}
    while (found := _last_option(text.rstrip(BLANKS))) is not None:
        before, name, value = found
        if name in options:
            raise BadRequest(
                f"{name.decode()}: it is there twice, as {shown(value)} and as {shown(options[name])}; give it once"
            )
        options[name] = value
        text = before.rstrip(BLANKS)
    return text, options


def _last_option(text: bytes) -> tuple[bytes, bytes, bytes] | None:
    """What is before the last word of *text*, its name in lower case and its value, if it is an option."""
    before, blank, word = text.rpartition(b" ")
    if _TAB in word:
        before, blank, word = text.rpartition(b"\t")
    name, equals, value = word.partition(b"=")
    name = name.lower()
    return (before, name, value) if blank and equals and name in _OPTIONS else None


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
        or ends_in_option(value)
        or (key + value).translate(None, b"\r\n") != key + value
    )
