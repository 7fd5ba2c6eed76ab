"""``flux topic`` against a real broker."""

from tests.integration.cli.shell import Shell


def test_a_topic_s_life(shell: Shell) -> None:
    """Made, listed, described, altered, deleted."""
    assert shell.out("topic", "create", "life", "-p", "2", "-c", "retention.ms=1000") == "life\t2\t1\n"
    assert ["life", "2", "1", "0", "0"] in [line.split("\t") for line in shell.out("topic", "list").splitlines()]
    assert shell.out("topic", "alter", "life", "-c", "retention.ms=2000", "-p", "3") == "life\t3\t1\n"
    found = shell.json("topic", "describe", "life")
    assert (found["topic"], found["config"], len(found["partitions"])) == ("life", {"retention.ms": "2000"}, 3)
    assert shell.out("topic", "delete", "life") == "life\n"
    assert "life" not in shell.out("topic", "list")


def test_a_description_is_a_table_of_partitions(shell: Shell) -> None:
    """Below what is known of the whole topic."""
    shell.out("topic", "create", "described", "-p", "1", "-c", "segment.bytes=65536")
    assert shell.out("topic", "describe", "described", "--format", "table") == (
        "topic:               described\n"
        "replication factor:  1\n"
        "segment.bytes:       65536\n"
        "\n"
        "PARTITION  LEADER  LEADER_EPOCH  REPLICAS  ISR  LOG_START  LOG_END  HW  SIZE_BYTES\n"
        "        0       0             0  0         0            0        0  -1           0\n"
    )


def test_records_are_deleted_up_to_an_offset(shell: Shell) -> None:
    """The log begins there, and what is left keeps its offsets."""
    shell.out("topic", "create", "trimmed", "-p", "1")
    shell.out("produce", "trimmed", stdin="a\nb\nc\n")
    assert shell.out("topic", "delete-records", "trimmed", "-p", "0", "--before", "2") == "trimmed\t0\t2\n"
    assert shell.out("consume", "trimmed", "-e", "-f", "%o %s\\n") == "2 c\n"


def test_a_mistyped_topic_finds_its_original(shell: Shell) -> None:
    """And none is created by it."""
    shell.out("topic", "create", "payments")
    for arguments in (["describe"], ["delete"], ["alter", "-p", "9"], ["delete-records", "-p", "0", "--before", "0"]):
        result = shell.run("topic", arguments[0], "paymnets", *arguments[1:])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: topic: paymnets does not exist; did you mean payments?\n"
    assert "paymnets" not in shell.out("topic", "list")


def test_a_topic_of_another_shape_is_refused(shell: Shell) -> None:
    """The same shape again does no harm."""
    first = shell.out("topic", "create", "shaped", "-p", "2")
    assert shell.out("topic", "create", "shaped", "-p", "2") == first
    result = shell.run("topic", "create", "shaped", "-p", "4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "shaped exists with partitions 2 instead of 4" in result.stderr


def test_what_cannot_be_understood_is_exit_2(shell: Shell) -> None:
    """A setting that is none, and a change of nothing."""
    for arguments in (["create", "odd", "-c", "retention.ms"], ["alter", "odd"], ["create", "odd", "-p", "0"]):
        assert shell.run("topic", *arguments).exit_code == 2


def test_a_deletion_is_asked_for_in_a_terminal(shell: Shell) -> None:
    """No is no."""
    shell.out("topic", "create", "precious")
    for answer, is_left in (("n\n", True), ("y\n", False)):
        terminal = shell.typed("topic", "delete", "precious")
        terminal.until("Delete precious and its 0 records? [y/N]: ")
        terminal.type(answer)
        assert terminal.wait() == int(is_left)
        assert ("precious" in shell.out("topic", "list")) is is_left
