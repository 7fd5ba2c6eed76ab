"""OFFSETS: where a partition begins and ends, and what was written when."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from flux.errors import BadRequest
from flux.wire.encoding import shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload
from flux.wire.values import read_integer

End = Literal["earliest", "latest"]

ENDS: dict[str, End] = {"earliest": "earliest", "latest": "latest"}


@dataclass(frozen=True, slots=True)
class Offsets:
    """Where a partition begins or ends, or which record is the first at or after a time (milliseconds since the epoch)."""

    topic: str
    partition: int
    at: End | int

    COMMAND: ClassVar[str] = "OFFSETS"
    USAGE: ClassVar[str] = "<topic> <partition> at=earliest|latest|<unix ms>"
    HELP: ClassVar[str] = (
        "Answers an offset: of the first record there is, of the next one to come, or of the first that is not older than a time;"
        " offset=-1 if no record is that late. timestamp is that record's, -1 if there is none."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        topic = cursor.topic()
        partition = cursor.integer("partition", minimum=0)
        word = cursor.options("at").word("at")
        end = ENDS.get(word.lower().decode("latin-1"))
        if end is None and not word.lstrip(b"+-").isdigit():
            raise BadRequest(
                f"at: {shown(word)} is not known here; use earliest, latest or milliseconds since the Unix epoch"
            )
        return cls(topic, partition, end or read_integer("at", word, minimum=0))

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic, self.partition, at=self.at)


@dataclass(frozen=True, slots=True)
class OffsetFound:
    """Both as printed: -1 where there is none."""

    offset: int
    timestamp_ms: int

    def encode(self) -> bytes:
        """``offset= timestamp=``."""
        return write_payload(offset=self.offset, timestamp=self.timestamp_ms)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.integer("offset"), fields.integer("timestamp"))
