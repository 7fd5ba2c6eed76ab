"""Request lines by the dice: well-formed, ill-formed, and at every edge of a number."""

import base64
import random
import re
from collections.abc import Callable, Sequence
from urllib.parse import quote_from_bytes

CHUNK_BYTES = 8192  # arrives in one piece over loopback, so that both brokers see the same runs
MAX_LINE_BYTES = 65536  # what both brokers are set to

_TOPICS = [b"t", b"t", b"t", b"u", b"one", b"three", b"pair", b"auto-%d"]
_NO_TOPICS = [b"", b".", b"..", b"__x", b"a" * 249, b"a" * 250, "é".encode(), b"\xff", b"a/b", b"none"]
_EDGES = [sign * ((1 << bits) + step) for bits in (31, 32, 62, 63, 64) for step in (-1, 0, 1) for sign in (-1, 1)]
_NUMBERS = [b"%d" % number for number in [*_EDGES, 10**19, 10**30, -(10**30)]]
_NUMBERS += [b"+1", b"-0", b"-1", b"007", b"0" * 40 + b"2", b"1e3", b"0x1", b"1_0", b"", b"-", "٣".encode(), b"9" * 500]
_LONG = [
    number for number in _NUMBERS if not number.lstrip(b"+0") or len(number.lstrip(b"+0")) > 1
]  # as a time: past the end of a test
_KEYS = [b"", b"k", b"user1", b"user2", b"k3", "é".encode(), b"\xff\xfe", b"\0", b"a b", b"k" * 300, b"=", b"|"]
_VALUES = [
    b"",
    b"v",
    b"v" * 63,
    b"v" * 64,
    b"v" * 1000,
    b"a:b,c|d",
    b" x ",
    b"\r",
    b"\0",
    b"\xff",
    b"\x7f hw=3",
    "é".encode(),
    b"x=y",
]
_ENDS = [b"", b"", b"", b"\r", b" ", b"\t", b"\r\r", b"|", b"\0"]
_NOISE = [b"|", b" ", b"=", b":", b"%", b"\t", b"\0", b"\r", b"\xc3", b",", b"-1", b"9" * 20]


class Traffic:
    """Chunks of lines without their LF. All that is in them comes of *seed*."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._id = 0
        self._generation = b"2"
        self._makers: list[Callable[[], bytes]] = [
            self._produce,
            self._produce,
            self._produce,
            self._consume,
            self._others,
            self._others,
        ]

    def chunk(self) -> list[bytes]:
        """Some lines of one kind, so that they make runs, or of any; or a single one that may be over the limit."""
        dice = self._dice
        if dice.random() < 0.02:
            length = dice.choice(
                [8192, 20000, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 2 * MAX_LINE_BYTES]
            )
            return [self._frame(b"PRODUCE", b"t k:").ljust(length, b"v")]
        make = dice.choice([*self._makers, None])
        lines: list[bytes] = []
        for _ in range(dice.choice([1, 1, 2, 5, 20, 100])):
            line = self._line(make or dice.choice(self._makers))
            if lines and sum(map(len, lines)) + len(lines) + len(line) >= CHUNK_BYTES:
                break
            lines.append(line)
        return lines

    def heard(self, answers: list[str]) -> None:
        """What was answered: a generation that is named there is used from then on, or few members could ever commit."""
        for answer in answers:
            if found := re.search(r"generation(?:=|.* which is )(\d+)", answer):
                self._generation = found[1].encode()

    def produces(self, topic: bytes, count: int) -> list[bytes]:
        """PRODUCEs to one topic: mostly as clients write them, now and then any."""
        return [
            self._frame(b"PRODUCE", b"%b %b" % (topic, self._record()))
            if self._dice.random() < 0.1
            else self._frame(b"PRODUCE", b"%b k%d:%d acks=1" % (topic, number % 500, number))
            for number in range(count)
        ]

    def _line(self, make: Callable[[], bytes]) -> bytes:
        line = make()
        dice = self._dice
        if dice.random() < 0.1:
            at = dice.randrange(len(line) + 1)
            line = dice.choice(
                [line[:at], line[:at] + dice.choice(_NOISE) + line[at:], line[:at] + line[at + 2 :], dice.randbytes(9)]
            )
        return line.replace(b"\n", b"")

    def _frame(self, command: bytes, arguments: bytes) -> bytes:
        self._id += 1
        if self._dice.random() < 0.05:
            command = command.lower()
        return b"V1|%d|%b|%b" % (self._id, command, arguments)

    def _topic(self) -> bytes:
        topic = self._dice.choice(_TOPICS if self._dice.random() < 0.95 else _NO_TOPICS)
        return topic % self._dice.randrange(60) if b"%" in topic else topic

    def _number(self, usual: int) -> bytes:
        """Below *usual* in most cases."""
        return b"%d" % self._dice.randrange(usual) if self._dice.random() < 0.93 else self._dice.choice(_NUMBERS)

    def _word(self, *usual: bytes, seldom: Sequence[bytes] = (b"x",)) -> bytes:
        """One of *usual* in most cases."""
        return self._dice.choice(usual if self._dice.random() < 0.93 else seldom)

    def _options(self, *options: bytes) -> bytes:
        chosen = self._dice.sample(options, min(self._dice.choice([0, 0, 1, 1, 2, 3]), len(options)))
        return b"".join(b" " + option for option in chosen)

    # --- one command each ---

    def _record(self) -> bytes:
        dice = self._dice
        key, value = dice.choice(_KEYS), dice.choice(_VALUES)
        options = self._options(
            b"acks=" + self._word(b"0", b"1", b"all", b"All", seldom=[b"2", b"", b"-1"]),
            b"ts=" + self._number(100000),
            dice.choice([b"key=null", b"null=1", b"null=0", b"x=y"]),
        )
        kind = dice.randrange(8)
        if kind == 0:
            key, value, options = base64.b64encode(key), base64.b64encode(value), options + b" enc=b64"
        elif kind == 1:
            key, value, options = (
                quote_from_bytes(key).encode(),
                quote_from_bytes(value).encode(),
                options + b" enc=pct",
            )
        elif kind == 2:
            options += dice.choice([b" enc=b64", b" enc=pct", b" enc=x"])  # of what is not encoded, mostly
        elif kind == 3:
            key, value = dice.choice([(b"", value), (key, b""), (b"", b"")])
        return key + dice.choice([b":"] * 20 + [b"", b" :"]) + value + options + dice.choice(_ENDS)

    def _produce(self) -> bytes:
        return self._frame(b"PRODUCE", self._topic() + b" " + self._record())

    def _consume(self) -> bytes:
        dice = self._dice
        number = self._number(300)
        if dice.random() < 0.2:
            at = self._word(b"earliest", b"latest", b"0", b"5000", seldom=[b"x", *_NUMBERS])
            return self._frame(b"OFFSETS", b"%b %b at=%b" % (self._topic(), self._number(4), at))
        options = self._options(
            b"max_records=" + self._number(9),
            b"max_bytes=" + self._number(3000),
            b"min_bytes=" + self._number(99),
            b"wait_ms=" + self._word(b"0", b"1", seldom=[b"-1", b"9" * 30]),
            b"enc=" + self._word(b"pct", b"b64"),
            b"reset=" + self._word(b"earliest", b"latest"),
        )
        options += b" reset=earliest" if b"reset" not in options and dice.random() < 0.7 else b""
        return self._frame(b"CONSUME", b"%b %b %b%b" % (self._topic(), self._number(3), number, options))

    def _others(self) -> bytes:
        dice, topic, number = self._dice, self._topic, self._number
        group = b"g%d" % dice.choice([0, 0, 0, 1, dice.randrange(30)])
        member = self._word(b"a", b"b", seldom=[b"c", b"d", b"\xff", b"m" * 250])
        membership = b"%b %b %b" % (group, self._word(b"t", seldom=_TOPICS[3:7]), member)
        generation = self._generation if dice.random() < 0.8 else number(30)
        assignor = b"assignor=" + self._word(b"round_robin", b"range")
        session = b"session_ms=" + self._word(b"3600000", seldom=_NUMBERS)
        command, arguments = dice.choice(
            [
                (
                    b"JOIN",
                    membership + self._options(assignor, session),
                ),
                (b"JOIN", membership),
                (b"SYNC", b"%b %b" % (membership, generation)),
                (b"HEARTBEAT", b"%b %b" % (membership, generation)),
                (b"LEAVE", b"%b %b" % (membership, dice.choice([generation, number(9)]))),
                (b"COMMIT", b"%b %b %b %b" % (membership, generation, number(3), number(50))),
                (b"COMMIT", b"%b %b %b %b" % (membership, generation, number(3), dice.choice(_NUMBERS))),
                (b"OFFSET", b"%b %b %b" % (group, topic(), number(4))),
                (
                    b"GROUP_RESET",
                    b"%b %b to=%b"
                    % (group, topic(), dice.choice([b"earliest", b"latest", b"offset:" + number(9), b"time:0"])),
                ),
                (b"GROUP_LIST", b""),
                (
                    b"ADMIN_CREATE_TOPIC",
                    b"%b %b %b%b"
                    % (topic(), number(9), number(3), self._options(b"max.message.bytes=" + number(2000), b"x=y")),
                ),
                (b"ADMIN_ALTER_TOPIC", b"%b partitions=%b" % (topic(), number(9))),
                (b"ADMIN_DELETE_RECORDS", b"%b %b %b" % (topic(), number(4), number(20))),
                (b"ADMIN_DELETE_TOPIC", b"auto-%d" % dice.randrange(60)),
                (b"ADMIN_DESCRIBE_TOPIC", topic()),
                (b"ADMIN_GET_METADATA", b""),
                (b"ADMIN_REGISTER_BROKER", b"%b host %b" % (number(3), number(9999))),
                (b"ADMIN_ELECT_TOPIC_LEADERS", topic()),
                (b"ADMIN_RECONCILE_BROKER_HEALTH", dice.choice(_LONG)),
                (
                    b"REPLICA_FETCH",
                    b"%b %b %b %b" % (self._word(b"pair", seldom=_TOPICS), number(2), number(3), number(300)),
                ),
                (b"SET_PARTITION_ROLE", b"u %b %b" % (number(4), dice.choice([b"leader", b"follower", b"x"]))),
                (b"PING", dice.choice([b"", b"x"])),
                (b"HELLO", b"client=" + dice.choice(_VALUES)),
                (b"HELP", dice.choice([b"", b"produce", b"x"])),
                (dice.choice([b"NOPE", b"", b"\xff", b"C" * 100]), dice.choice(_VALUES)),
            ]
        )
        return self._frame(command, arguments)
