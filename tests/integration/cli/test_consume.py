"""``flux consume`` against a real broker."""

import json
import signal
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess
from tests.integration.cli.shell import PATIENCE_S, Shell


@pytest.fixture(scope="module", autouse=True)
def _orders(broker: BrokerProcess) -> None:
    """A topic for those that only read: three records in partition 0, two in partition 2, one of them a second later."""
    with Shell(f"127.0.0.1:{broker.port}") as shell:
        shell.out("topic", "create", "orders")
    client = broker.client()
    for key, value, timestamp_ms in (
        ("user-42", "zero", 1000), ("user1", "one", 2000), ("user-42", "two", 3000), ("user1", "three", 4000), ("user-42", "four", 5000),
    ):  # fmt: skip
        client.ask("PRODUCE", f"orders {key}:{value} ts={timestamp_ms}")
    client.close()


def test_everything_there_is_comes_in_order(shell: Shell) -> None:
    """Partition by partition, values alone."""
    assert shell.out("consume", "orders", "-e") == "zero\ntwo\nfour\none\nthree\n"


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("beginning", "zero two four one three"),
        ("end", ""),
        ("1", "two four three"),
        ("2", "four"),
        ("-1", "four three"),
        ("-100", "zero two four one three"),
        ("@3000", "two four three"),
        ("1970-01-01T00:00:03Z", "two four three"),
        ("@4500", "four"),
        ("@9000", ""),
        ("@-1h", ""),
    ],
)
def test_it_begins_where_it_is_told_to(shell: Shell, where: str, values: str) -> None:
    """An end, an offset, so many, a time."""
    assert shell.out("consume", "orders", "-e", "-o", where).split() == values.split()


def test_partitions_may_be_chosen(shell: Shell) -> None:
    """One, or some."""
    assert shell.out("consume", "orders", "-e", "-p", "2") == "one\nthree\n"
    assert shell.out("consume", "orders", "-e", "-p", "2", "-p", "1", "-o", "-1") == "three\n"


def test_a_count_is_kept_to(shell: Shell) -> None:
    """Over all partitions; without -e it need not wait for more."""
    assert shell.out("consume", "orders", "-c", "4") == "zero\ntwo\nfour\none\n"
    assert shell.out("consume", "orders", "-c", "0") == ""


def test_a_record_is_shown_as_it_is_asked_for(shell: Shell) -> None:
    """By a format string, as JSON lines, as columns, with the key before it."""
    last = ("consume", "orders", "-e", "-p", "2", "-o", "1")
    assert shell.out(*last, "-f", r"%t[%p]@%o\t%T %k=%s (%S)\n") == "orders[2]@1\t4000 user1=three (5)\n"
    shown = {"topic": "orders", "partition": 2, "offset": 1, "timestamp_ms": 4000, "key": "user1", "value": "three"}
    assert json.loads(shell.out(*last, "-J")) == shown
    assert shell.out(*last, "--format", "json") == shell.out(*last, "-J")
    assert shell.out(*last, "--format", "plain") == "2\t1\t4000\tuser1\tthree\n"
    assert shell.out(*last, "-K", ":") == "user1:three\n"


def test_what_is_not_there_is_a_sentence(shell: Shell) -> None:
    """A topic, which is not created by it; a partition; an offset that all partitions end before."""
    for arguments, sentence in (
        (["ordres"], "topic: ordres does not exist; did you mean orders?"),
        (["orders", "-p", "3"], "partition: orders has no 3, it has 3, from 0 on."),
        (
            ["orders", "-p", "2", "-o", "7"],
            "offset: there is no 7 yet: orders-2 ends at 2; -o end waits for what comes.",
        ),
    ):
        result = shell.run("consume", *arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")
    assert "ordres" not in shell.out("topic", "list")


def test_what_cannot_be_understood_is_exit_2(shell: Shell) -> None:
    """With what would do."""
    for arguments in (
        ["-o", "first"],
        ["-f", "%q"],
        ["-f", "%s", "-J"],
        ["-g", "g", "-p", "1"],
        ["-g", "g", "-o", "3"],
    ):
        result = shell.run("consume", "orders", *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments


def test_a_group_goes_on_where_it_stopped(shell: Shell) -> None:
    """What was written is committed, the last one too, and nothing beyond it."""
    arguments = ("consume", "orders", "-g", "g-stops", "-e")
    first = shell.out(*arguments, "-c", "2").split()
    rest = shell.out(*arguments).split()
    assert (len(first), sorted(first + rest)) == (2, ["four", "one", "three", "two", "zero"])
    assert shell.out(*arguments) == ""


def test_a_new_group_may_begin_at_the_end(shell: Shell) -> None:
    """Then there is nothing to read before something comes."""
    assert shell.out("consume", "orders", "-g", "g-new", "-e", "-o", "end") == ""


@pytest.mark.parametrize("arguments", [[], ["-g", "g-coming"], ["-p", "1", "-p", "2"]])
def test_what_comes_is_written_when_it_comes(shell: Shell, arguments: list[str]) -> None:
    """From whatever partition, without waiting for more of it; after -c records that is it."""
    topic = f"coming-{len(arguments)}"
    shell.out("topic", "create", topic)
    shell.out("produce", topic, "-k:", stdin="user1:there\n")
    with shell.process("consume", topic, "-c", "3", *arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        for line in ("k3:comes", "user1:too"):  # k3 goes to partition 1, user1 to 2
            shell.out("produce", topic, "-k:", stdin=line)
            assert process.stdout.readline().decode() == line.partition(":")[2] + "\n"
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("arguments", [[], ["-g", "g"]])
def test_an_outage_is_survived(shell: Shell, tmp_path: Path, arguments: list[str]) -> None:
    """With a sentence on stderr; records go on when the broker is back."""
    with BrokerProcess(tmp_path / "data") as broker:
        brokers = ("--brokers", f"127.0.0.1:{broker.port}")
        shell.out("produce", "t", *brokers, "--key", "k", stdin="before\n")
        with shell.process("consume", "t", *brokers, "-c", "2", *arguments) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"before\n"
            broker.kill()
            assert process.stderr.readline() == b"The broker is gone; reading goes on when it is back.\n"
            with BrokerProcess(tmp_path / "data", "--port", str(broker.port)):
                shell.out("produce", "t", *brokers, "--key", "k", stdin="after\n")
                assert process.stdout.readline() == b"after\n"
                assert process.wait(PATIENCE_S) == 0
            assert process.stderr.read() == b""


def test_nothing_is_called_committed_that_may_not_be(shell: Shell, tmp_path: Path) -> None:
    """When there is nobody to ask any more."""
    with BrokerProcess(tmp_path / "data") as broker:
        brokers = ("--brokers", f"127.0.0.1:{broker.port}")
        shell.out("produce", "t", *brokers, "--key", "k", stdin="one\n")
        with shell.process("consume", "t", *brokers, "-g", "g") as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"one\n"
            broker.kill()
            assert process.stderr.readline().startswith(b"The broker is gone")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
            assert process.stderr.read() == (
                b"Interrupted: 1 record was written, but may not be committed: the last of them may come again.\n"
            )


def test_a_topic_that_is_deleted_is_the_end(tmp_path: Path) -> None:
    """No repetition would bring it back."""
    options = (
        "--set",
        "auto_create_topics=false",
    )  # or to ask for more, just after the deletion, would create it again
    with (
        BrokerProcess(tmp_path / "data", *options) as broker,
        Shell(f"127.0.0.1:{broker.port}") as shell,
    ):
        shell.out("topic", "create", "doomed", "-p", "1")
        shell.out("produce", "doomed", stdin="last\n")
        with shell.process("consume", "doomed") as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"last\n"
            shell.out("topic", "delete", "doomed")
            assert process.wait(PATIENCE_S) == 1
            assert process.stderr.read().startswith(b"Error: topic: doomed ")


def test_a_reader_that_has_enough_ends_it_quietly(shell: Shell) -> None:
    """Whether there is more to write, or it waits for more: nobody reads, and that is seen."""
    shell.out("topic", "create", "long", "-p", "1")
    shell.out("produce", "long", stdin="".join(f"{number}\n" for number in range(20_000)))
    for arguments in ("", "-o -3", "-g g-long"):
        done = shell.line(f"flux consume long {arguments} | head -3")
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 3), arguments


def test_a_full_disk_is_a_sentence(shell: Shell) -> None:
    """Of whatever stdout goes to."""
    for command in ("flux consume orders -e > /dev/full", "flux topic list > /dev/full"):
        done = shell.line(command)
        assert (done.returncode, done.stderr) == (1, "Error: No space left on device.\n")


def test_json_is_read_by_others(shell: Shell) -> None:
    """An answer is a document, a stream is lines."""
    for command in (
        "flux topic list --format json | python3 -m json.tool",
        "flux topic describe orders --format json | python3 -m json.tool",
        "flux consume orders -e --format json | python3 -m json.tool --json-lines",
        "printf 'a\\nb\\n' | flux produce jsons --format json | python3 -m json.tool --json-lines",
    ):
        done = shell.line(command)
        assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr)
        assert done.stdout.startswith(("{", "[")), command


def test_sigterm_is_a_clean_end_too(shell: Shell) -> None:
    """As ``timeout`` and containers send it: what was written is committed, and the group is left."""
    with shell.process("consume", "orders", "-g", "g-term") as process:
        assert process.stdout is not None and process.stderr is not None
        written = [process.stdout.readline() for _ in range(5)]
        process.terminate()
        assert process.wait(PATIENCE_S) == 143
        assert (
            process.stderr.read() == b"Interrupted: 5 records were written and committed; the same command goes on.\n"
        )
    assert len(set(written)) == 5
    assert shell.out("consume", "orders", "-g", "g-term", "-e") == ""
