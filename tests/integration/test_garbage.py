"""Whatever comes in, the broker goes on answering, and its log holds no traceback."""

import random
import socket
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess

LINES = 10_000
COMMANDS = [b"PRODUCE", b"CONSUME", b"OFFSETS", b"PING", b"HELLO", b"HELP", b"NOPE", b"produce", b""]
GOOD = [
    b"V1|1|PRODUCE|t user1:a acks=all",
    b"V1|2|PRODUCE|t dXNlcjE=:aGk= enc=b64",
    b"V1|3|CONSUME|t 2 0 wait_ms=1 max_records=2 enc=pct",
    b"V1|4|OFFSETS|t 2 at=latest",
    b"V1|5|HELLO|client=x/1",
    b"V1|6|HELP|PRODUCE",
]


def _random_line(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(200)).replace(b"\n", b"")


def _mutated(dice: random.Random) -> bytes:
    line = bytearray(dice.choice(GOOD))
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(line) + 1)
        kind = dice.randrange(4)
        if kind == 0:
            line[at:at] = dice.randbytes(dice.randrange(1, 4))
        elif kind == 1:
            del line[at : at + dice.randrange(1, 5)]
        elif kind == 2:
            line[at:at] = dice.choice([b"|", b" ", b"=", b":", b"%", b"\t", b"\0", b"-1", b"99999999999999999999"])
        else:
            line = line[:at]
    return bytes(line).replace(b"\n", b"")


def _built(dice: random.Random) -> bytes:
    words = [
        b"t",
        b"0",
        b"-1",
        b"enc=x",
        b"acks=2",
        b"ts=",
        b":",
        b"a:b",
        b"key=null",
        b"wait_ms=x",
        b"reset=latest",
        "é".encode(),
    ]
    arguments = b" ".join(dice.choices(words, k=dice.randrange(6)))
    return b"V1|%d|%b|%b" % (dice.randrange(99), dice.choice(COMMANDS), arguments)


@pytest.fixture
def broker(tmp_path: Path) -> BrokerProcess:
    """One that starts with the test."""
    return BrokerProcess(tmp_path / "data", "--set", "fsync_mode=never")


def test_every_garbage_line_gets_one_answer(broker: BrokerProcess) -> None:
    """10,000 random, mutated and ill-built lines, pipelined; each is answered, in frames, and none harms the next."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    with broker:
        client = broker.client()
        for _ in range(LINES // 100):
            lines = [dice.choice([_random_line, _mutated, _built])(dice) for _ in range(100)]
            client.socket.sendall(b"".join(line + b"\n" for line in lines))
            for line in lines:
                reply = client.line()
                assert reply.startswith("V1|"), f"seed {seed}: {line!r} was answered {reply!r}"
                assert reply.split("|")[2] in ("OK", "ERR"), f"seed {seed}: {line!r} was answered {reply!r}"
                assert "INTERNAL_ERROR" not in reply, f"seed {seed}: {line!r} was answered {reply!r}"
        assert client.ask("PING") == "OK|pong=true"
        client.close()
        assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()[-3000:]


def test_lines_of_every_length(broker: BrokerProcess) -> None:
    """From 1 byte to 2 MiB: up to the limit an answer, over it MESSAGE_TOO_LARGE and the end of that connection only."""
    with broker:
        for length in [1, 2, 3, 10, 1000, 65535, 65536, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20]:
            client = broker.client()
            line = (b"V1|1|PRODUCE|t k:" + b"v" * length)[:length]
            client.socket.sendall(line + b"\n")
            reply = client.line()
            if length > 1 << 20:
                assert reply.startswith("V1|0|ERR|MESSAGE_TOO_LARGE|"), (length, reply)
                with pytest.raises(ConnectionError):
                    client.line()
            else:
                assert ("|OK|" if length > 17 else "|ERR|BAD_REQUEST|") in reply, (length, reply[:200])
            client.close()
        other = broker.client()
        assert other.ask("PING") == "OK|pong=true"
        other.close()
        assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()[-3000:]


def test_connections_dropped_in_the_middle_of_a_line(broker: BrokerProcess) -> None:
    """200 of them, with a reset or a plain close, some with requests still being answered."""
    dice = random.Random(7)
    with broker:
        for number in range(200):
            client = broker.client()
            client.socket.sendall(b"V1|1|PRODUCE|t k:v acks=all\n" * dice.randrange(3))
            client.socket.sendall(b"V1|2|CONSUME|t 0 0 wait_ms=5000"[: dice.randrange(1, 32)])
            if number % 2:
                linger = b"\x01\0\0\0\0\0\0\0"  # close with a reset
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
        client = broker.client()
        assert client.ask("PRODUCE", "t k:v acks=all").startswith("OK|")
        client.close()
        assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()[-3000:]


def test_half_a_line_before_a_half_close_counts(broker: BrokerProcess) -> None:
    """As ``printf … | nc`` sends it: no newline, then the end."""
    with broker:
        client = broker.client()
        client.socket.sendall(b"V1|1|PRODUCE|t user1:a")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line() == "V1|1|OK|partition=2 offset=0 hw=0"
        with pytest.raises(ConnectionError):
            client.line()
        client.close()
