"""``flux produce`` against a real broker."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess
from tests.integration.cli.shell import Shell


def stored(shell: Shell, topic: str) -> list[tuple[str | None, str | None]]:
    """Keys and values, in order of offsets, partition by partition."""
    lines = shell.out("consume", topic, "-e", "-J").splitlines()
    return [(record["key"], record["value"]) for record in map(json.loads, lines)]


def test_lines_are_records(shell: Shell) -> None:
    """With keys, where a delimiter says so; nothing is written unless it is asked for."""
    shell.out("topic", "create", "lines", "-p", "1")
    assert shell.out("produce", "lines", stdin="a b\n\nc") == ""
    assert shell.out("produce", "lines", "-k", ":", stdin="k:v:w\nno key\n:empty key\n") == ""
    assert shell.out("produce", "lines", "--key", "all", stdin="x\n") == ""
    expected = [(None, "a b"), (None, ""), (None, "c"), ("k", "v:w"), (None, "no key"), ("", "empty key"), ("all", "x")]
    assert stored(shell, "lines") == expected


def test_any_bytes_travel(shell: Shell) -> None:
    """NUL separated, so that newlines are part of records, and not text at all."""
    shell.out("topic", "create", "bytes", "-p", "1")
    data = b"two\nlines\0\xff\xfe,:|\0"
    assert shell.out("produce", "bytes", "-z", stdin=data) == ""
    assert shell.run("consume", "bytes", "-e", "-z").stdout_bytes == data
    assert shell.run("consume", "bytes", "-e", "-D", r"\0").stdout_bytes == data


def test_an_empty_value_may_be_a_tombstone(shell: Shell) -> None:
    """-Z, on both sides."""
    shell.out("topic", "create", "tombs", "-p", "1")
    shell.out("produce", "tombs", "-k", ":", "-Z", stdin="a:1\na:\n")
    shell.out("produce", "tombs", "-k", ":", stdin="a:\n")
    assert stored(shell, "tombs") == [("a", "1"), ("a", None), ("a", "")]
    assert shell.out("consume", "tombs", "-e", "-Z", "-K", "=") == "a=1\na=NULL\na=\n"


def test_acknowledgements_are_shown_in_order_of_the_lines(shell: Shell) -> None:
    """As columns or as JSON lines."""
    lines = "".join(f"user{number}:{number}\n" for number in range(200))
    acknowledged = [
        json.loads(line) for line in shell.out("produce", "acked", "-k:", "--format", "json", stdin=lines).splitlines()
    ]
    values = {}
    for line in shell.out("consume", "acked", "-e", "-f", r"%p %o %s\n").splitlines():
        partition, offset, value = line.split()
        values[int(partition), int(offset)] = int(value)
    assert [values[each["partition"], each["offset"]] for each in acknowledged] == list(range(200))
    assert shell.out("produce", "acked", "--key", "user1", "--format", "plain", stdin="x").startswith("acked\t2\t")


def test_the_first_refusal_is_the_end(shell: Shell, tmp_path: Path) -> None:
    """Which record, why, and what became of the others: a repetition would store those twice."""
    shell.out("topic", "create", "limited", "-p", "1", "-c", "max.message.bytes=1000")
    lines = tmp_path / "lines"
    lines.write_text("fits\n" + "x" * 5000 + "\n" + "".join(f"{number}\n" for number in range(5000)))
    result = shell.run("produce", "limited", "-f", str(lines))
    assert (result.exit_code, result.stdout) == (1, "")
    said = re.fullmatch(r"Error: record 2: .*; of (\d+) records read, (\d+) records are stored\.\n", result.stderr)
    assert said is not None, result.stderr
    assert len(stored(shell, "limited")) == int(said[2]) == int(said[1]) - 1


def test_acks_all_is_confirmed(shell: Shell) -> None:
    """By all replicas, which here is one; and acks=0 by nobody."""
    for acks in ("all", "0"):
        assert shell.out("produce", f"acks-{acks}", "--acks", acks, stdin="x\n") == ""


def test_what_cannot_be_understood_is_exit_2(shell: Shell) -> None:
    """Before anything is read."""
    for arguments in (["--acks", "2"], ["-k", ""], ["-k", r"\q"], ["-k", ":", "--key", "k"], ["-f", "no-such-file"]):
        result = shell.run("produce", "odd", *arguments, stdin="x\n")
        assert (result.exit_code, result.stdout) == (2, ""), arguments
    assert "odd" not in shell.out("topic", "list")


def test_a_file_of_100_000_lines_takes_seconds(shell: Shell, tmp_path: Path) -> None:
    """Pipelined, in order per key, all of them."""
    lines = tmp_path / "lines"
    lines.write_text("".join(f"user{number % 1000}:event {number:060d}\n" for number in range(100_000)))
    began_s = time.monotonic()
    done = shell.line(f"flux produce many -k : < {lines}", timeout_s=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began_s < 60  # one by one it takes minutes; on an idle machine this takes 3 s
    assert [row.split("\t")[3] for row in shell.out("topic", "list").splitlines() if row.startswith("many\t")] == [
        "100000"
    ]
    last: dict[str, int] = {}
    for line in shell.out("consume", "many", "-e", "-K", " ").splitlines():
        key, _, number = line.split(" ")
        assert last.get(key, -1) < int(number)
        last[key] = int(number)
    assert len(last) == 1000


@pytest.mark.parametrize("command", ["produce", "consume", "topic describe"])
def test_a_wrong_port_is_a_sentence(shell: Shell, command: str) -> None:
    """At once, with the way out."""
    result = shell.run(*command.split(), "orders", "--brokers", "127.0.0.1:1", stdin="x\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: no broker could be reached; 127.0.0.1:1: Connection refused; start one with flux serve, or say where one is with"
        " --brokers or FLUX_BROKERS.\n"
    )


def test_a_broker_that_dies_leaves_no_doubt_about_the_rest(shell: Shell, tmp_path: Path) -> None:
    """What is stored, and what nobody knows."""
    with BrokerProcess(tmp_path / "data") as broker:
        process = shell.process("produce", "t", "--brokers", f"127.0.0.1:{broker.port}", "--format", "plain", stdin=-1)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        with process, process.stdin as stdin:
            stdin.write(b"first\n")
            stdin.flush()
            assert process.stdout.readline().startswith(b"t\t")
            broker.kill()
            stdin.write(b"second\n")
            stdin.close()
            complaint = process.stderr.read().decode()
        assert process.returncode == 1
        assert complaint.startswith("Error: record 2: ")
        assert complaint.endswith("of 2 records read, 1 record is stored.\n")
