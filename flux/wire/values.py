"""One word ↔ one value: the leaves of the grammar.

Every reader takes the field's name first and names it in the :class:`~flux.errors.BadRequest` it raises, with the value and the
way out.
"""

import enum
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from flux.errors import BadRequest
from flux.model import check_topic_name
from flux.wire.encoding import BLANKS, shown

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
MAX_NAME_BYTES = 249  # of groups, members and the like: as for topics

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)

_MAX_DIGITS = 19  # of a 64-bit number; int() of a megabyte of them would take seconds


def split_words(text: bytes) -> list[bytes]:
    """What stands between runs of blanks."""
    return [word for word in text.replace(b"\t", b" ").split(b" ") if word]


@lru_cache(maxsize=1024)  # a producer names the same few topics over and over; checking one takes 0.7 µs
def read_topic(word: bytes) -> str:
    """*word* as the name of a topic ordinary clients may use. :raises BadRequest: see :func:`flux.model.check_topic_name`."""
    return check_topic_name(word.decode("utf-8", "backslashreplace"))


def read_name(field: str, word: bytes) -> str:
    """*word* as the name of a group, a member or the like.

    :raises BadRequest: it is empty or too long, is not UTF-8, or holds control characters.
    """
    if not 0 < len(word) <= MAX_NAME_BYTES:
        raise BadRequest(f"{field}: {shown(word)} has {len(word)} bytes; use 1 to {MAX_NAME_BYTES}")
    return read_text(field, word)


def read_text(field: str, word: bytes) -> str:
    """*word* as text, which may be empty. :raises BadRequest: it is not UTF-8, or holds control characters."""
    try:
        text = word.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{field}: {shown(word)} is not UTF-8; send it as UTF-8") from None
    if any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in text):
        raise BadRequest(f"{field}: {shown(word)} holds control characters; leave them out")
    return text


def read_integer(field: str, word: bytes, minimum: int = INT64_MIN, maximum: int = INT64_MAX) -> int:
    """*word* as a number. :raises BadRequest: it is none, or below *minimum*, or above *maximum*."""
    digits = word if word.isdigit() or word[:1] not in (b"+", b"-") else word[1:]
    if not digits.isdigit():
        raise BadRequest(f"{field}: {shown(word)} is not an integer; write ASCII digits, with a sign if need be")
    if len(digits) > _MAX_DIGITS:
        digits = digits.lstrip(b"0") or b"0"
    value = int(digits) if len(digits) <= _MAX_DIGITS else 1 << 64
    if digits is not word and word[:1] == b"-":
        value = -value
    if not minimum <= value <= maximum:
        raise BadRequest(f"{field}: {shown(word)} is out of range; use {_range(minimum, maximum)}")
    return value


def read_choice(field: str, word: bytes, choices: Mapping[str, T]) -> T:
    """What *choices* holds under *word*, in any case of letters. :raises BadRequest: nothing."""
    try:
        return choices[word.lower().decode("latin-1")]
    except KeyError:
        raise BadRequest(f"{field}: {shown(word)} is not known here; use one of {', '.join(choices)}") from None


def spellings(kind: type[E]) -> dict[str, E]:
    """The choices an enumeration leaves, by their values."""
    return {member.value: member for member in kind}


def write_value(value: object) -> bytes:
    """*value* as a field shows it: numbers in digits, booleans as ``true`` and ``false``, sequences as ``[0 1 2]``."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, enum.Enum):
        return write_value(value.value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return b"[%b]" % b" ".join([write_value(part) for part in value])
    return str(value).encode("utf-8", "backslashreplace")


def write_word(field: str, value: object) -> bytes:
    """*value* as one word of a request. :raises BadRequest: it would be read as none, or as several."""
    word = write_value(value)
    if not word or word.translate(None, BLANKS + b"\r\n") != word:
        raise BadRequest(f"{field}: {shown(word)} cannot be sent; use one word, without blanks and line ends")
    return word


def _range(minimum: int, maximum: int) -> str:
    if maximum != INT64_MAX:
        return f"{minimum} to {maximum}"
    return "a 64-bit number" if minimum == INT64_MIN else f"{minimum} or more"
