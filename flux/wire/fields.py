"""The grammar of arguments and payloads, shared by all families.

:class:`Arguments` reads a request word by word and then its options, :func:`write_arguments` writes one; :class:`Payload` reads a
reply by names, :func:`write_payload` writes one. Every :class:`~flux.errors.BadRequest` names the field, the value and the way out.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol, TypeVar

from flux.errors import BadRequest
from flux.wire.encoding import percent_decoded, shown
from flux.wire.values import (
    INT64_MAX,
    INT64_MIN,
    read_choice,
    read_integer,
    read_name,
    read_text,
    read_topic,
    split_words,
    write_value,
    write_word,
)

T = TypeVar("T")
D = TypeVar("D")

_BOOLEANS = {"true": True, "false": False}


class Documented(Protocol):
    """What an error quotes of a request class."""

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str]


class Arguments:
    """One request's arguments, read from left to right. Every method may raise :class:`~flux.errors.BadRequest`.

    ::

        arguments = Arguments(text, cls)
        topic, partition = arguments.topic(), arguments.integer("partition", minimum=0)
        options = arguments.options("wait_ms")
        return cls(topic, partition, options.integer("wait_ms", 0, minimum=0))
    """

    __slots__ = ("_next", "_request", "_words")

    def __init__(self, arguments: bytes, request: type[Documented]) -> None:
        self._words = split_words(arguments)
        self._next = 0
        self._request = request

    @property
    def more(self) -> bool:
        """Whether there is another word: ``arguments.integer("epoch") if arguments.more else 0``."""
        return self._next < len(self._words)

    def word(self, field: str) -> bytes:
        """The next word as it came."""
        if not self.more:
            raise BadRequest(f"{field}: it is missing; {self._usage()}")
        self._next += 1
        return self._words[self._next - 1]

    def topic(self, field: str = "topic") -> str:
        """The next word as the name of a topic ordinary clients may use."""
        return read_topic(self.word(field))

    def name(self, field: str) -> str:
        """The next word as the name of a group, a member or the like."""
        return read_name(field, self.word(field))

    def integer(self, field: str, *, minimum: int = INT64_MIN, maximum: int = INT64_MAX) -> int:
        """The next word as a number."""
        return read_integer(field, self.word(field), minimum, maximum)

    def integers(self, field: str, *, minimum: int = INT64_MIN, maximum: int = INT64_MAX) -> tuple[int, ...]:
        """The next word as numbers separated by commas."""
        return tuple(read_integer(field, part, minimum, maximum) for part in self.word(field).split(b","))

    def choice(self, field: str, choices: Mapping[str, T]) -> T:
        """The next word as what *choices* holds under it, in any case of letters."""
        return read_choice(field, self.word(field), choices)

    def options(self, *names: str) -> "Options":
        """The remaining words, each ``name=value`` with one of *names*, none twice."""
        given = self._pairs()
        for name in given:
            if name not in names:
                raise BadRequest(f"option: {name!r} is not known here, {', '.join(names)} are; {self._usage()}")
        return Options(given, self._usage)

    def rest(self) -> bytes:
        """The remaining words, as another :class:`Arguments` may read them."""
        words, self._next = self._words[self._next :], len(self._words)
        return b" ".join(words)

    def settings(self) -> dict[str, str]:
        """The remaining words, each ``name=value`` with any name, none twice; names in lower case."""
        return {name: read_text(name, value) for name, value in self._pairs().items()}

    def end(self) -> None:
        """There is no further word."""
        if self.more:
            raise BadRequest(f"arguments: {shown(self._words[self._next])} is one too many; {self._usage()}")

    def _pairs(self) -> dict[str, bytes]:
        pairs: dict[str, bytes] = {}
        while self.more:
            word, equals, value = self._words[self._next].partition(b"=")
            if not equals:
                self.end()
            name = read_name("option", word).lower()
            if name in pairs:
                raise BadRequest(
                    f"{name}: it is there twice, as {shown(pairs[name])} and as {shown(value)}; give it once"
                )
            pairs[name] = value
            self._next += 1
        return pairs

    def _usage(self) -> str:
        return f"usage: {self._request.COMMAND} {self._request.USAGE}".rstrip()


class Options:
    """The options of one request, read by name; *default* stands for one that was not given."""

    __slots__ = ("_given", "_usage")

    def __init__(self, given: Mapping[str, bytes], usage: Callable[[], str]) -> None:
        self._given = given
        self._usage = usage

    def word(self, name: str) -> bytes:
        """An option that has to be there, as it came. :raises BadRequest: it is not."""
        word = self._given.get(name)
        if word is None:
            raise BadRequest(f"{name}: it is missing; {self._usage()}")
        return word

    def integer(self, name: str, default: D, *, minimum: int = INT64_MIN, maximum: int = INT64_MAX) -> int | D:
        """A number."""
        word = self._given.get(name)
        return default if word is None else read_integer(name, word, minimum, maximum)

    def choice(self, name: str, choices: Mapping[str, T], default: D) -> T | D:
        """What *choices* holds under it, in any case of letters."""
        word = self._given.get(name)
        return default if word is None else read_choice(name, word, choices)

    def choices(self, name: str, choices: Mapping[str, T]) -> tuple[T, ...]:
        """What *choices* holds under each of its words between commas, each once and in the order of *choices*."""
        word = self._given.get(name)
        chosen = [] if word is None else [read_choice(name, part, choices) for part in word.split(b",")]
        return tuple(choice for choice in choices.values() if choice in chosen)

    def name(self, name: str, default: D) -> str | D:
        """A name, as :meth:`Arguments.name` reads one."""
        word = self._given.get(name)
        return default if word is None else read_name(name, word)


class Payload:
    """One success payload, read by names; fields nobody asks for were appended by a newer broker.

    Every method may raise :class:`~flux.errors.BadRequest`.
    """

    __slots__ = ("_fields", "_payload")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._fields = _payload_fields(payload)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def raw(self, name: str) -> bytes:
        """The value as it came."""
        value = self._fields.get(name)
        if value is None:
            raise BadRequest(
                f"{name}: it is missing in the answer {shown(self._payload)}; is this a broker that speaks V1?"
            )
        return value

    def text(self, name: str) -> str:
        """The value as text."""
        return read_text(name, self.raw(name))

    def integer(self, name: str) -> int:
        """The value as a number."""
        return read_integer(name, self.raw(name))

    def boolean(self, name: str) -> bool:
        """``true`` or ``false``."""
        return read_choice(name, self.raw(name), _BOOLEANS)

    def percent(self, name: str) -> bytes:
        """The value with its percent escapes undone."""
        return percent_decoded(name, self.raw(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """``[a b]`` as its parts."""
        return tuple(read_text(name, word) for word in self._list(name))

    def integers(self, name: str) -> tuple[int, ...]:
        """``[0 1 2]`` as numbers."""
        return tuple(read_integer(name, word) for word in self._list(name))

    def _list(self, name: str) -> list[bytes]:
        value = self.raw(name)
        if len(value) < 2 or value[:1] != b"[" or value[-1:] != b"]":
            raise BadRequest(f"{name}: {shown(value)} is no list; it should read [a b c], or [] without entries")
        return split_words(value[1:-1])


def write_arguments(*words: object, **options: object) -> bytes:
    """*words*, then *options* as ``name=value`` without those that are None.

    :raises BadRequest: one of them would be read as no word, or as several.
    """
    parts = [write_word("argument", word) for word in words]
    parts += [
        b"%b=%b" % (name.encode(), write_word(name, value)) for name, value in options.items() if value is not None
    ]
    return b" ".join(parts)


def write_payload(**fields: object) -> bytes:
    """*fields* as ``name=value`` in this order; see :func:`~flux.wire.values.write_value` for the values."""
    return b" ".join([b"%b=%b" % (name.encode(), write_value(value)) for name, value in fields.items()])


def _payload_fields(payload: bytes) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    words = iter(payload.split(b" "))
    for word in words:
        name, equals, value = word.partition(b"=")
        if not equals:
            continue  # no field we know; whoever misses one says so
        if value[:1] == b"[" and value[-1:] != b"]":
            parts = [value]
            for part in words:
                parts.append(part)
                if part[-1:] == b"]":
                    break
            value = b" ".join(parts)
        fields.setdefault(name.decode("latin-1"), value)  # the first one, as deployed clients find it
    return fields
