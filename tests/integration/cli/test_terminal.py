"""What a terminal shows, and what is typed there."""

from pathlib import Path

import pytest

from tests.integration.cli.shell import Shell

CTRL_C, CTRL_D = "\x03", "\x04"


def test_a_terminal_gets_a_table(shell: Shell) -> None:
    """Without being asked."""
    terminal = shell.typed("topic", "create", "seen", "-p", "2")
    assert terminal.wait() == 0
    assert terminal.shown == "TOPIC  PARTITIONS  REPLICAS\nseen            2         1\n"
    terminal = shell.typed("topic", "list")
    assert terminal.wait() == 0
    assert terminal.shown.startswith("TOPIC ")  # no bar where nothing takes long


def test_typed_lines_are_records(shell: Shell) -> None:
    """One by one; Ctrl-D ends, and says how many they were."""
    terminal = shell.typed("produce", "typed", "--format", "plain", "--key", "user1")
    terminal.until("Each line is a record; Ctrl-D ends.\n")
    for offset, line in enumerate(("one\n", "two\n")):
        terminal.type(line)
        terminal.until(f"typed\t2\t{offset}\n")
    terminal.type(CTRL_D)
    assert terminal.wait() == 0
    assert terminal.shown.endswith("2 records are stored.\n")
    assert shell.out("consume", "typed", "-e") == "one\ntwo\n"


def test_ctrl_c_ends_produce_with_what_is_stored(shell: Shell) -> None:
    """A sentence, and 130."""
    terminal = shell.typed("produce", "stopped", "--format", "plain", "--key", "user1")
    terminal.until("Ctrl-D ends.\n")
    terminal.type("one\n")
    terminal.until("stopped\t2\t0\n")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    assert terminal.shown.endswith("^C\nInterrupted: 1 record is stored, the rest was not sent.\n")


@pytest.mark.parametrize(
    ("arguments", "way_on"),
    [
        (["-p", "2"], "1 record was written; -p 2 -o 1 goes on."),
        (["-g", "g-watched"], "1 record was written and committed; the same command goes on."),
    ],
)
def test_ctrl_c_ends_consume_with_the_way_on(shell: Shell, arguments: list[str], way_on: str) -> None:
    """A sentence, and 130; a group is committed and left."""
    shell.out("topic", "create", "watched")
    if not shell.out("consume", "watched", "-e"):
        shell.out("produce", "watched", "--key", "user1", stdin="seen\n")
    terminal = shell.typed("consume", "watched", *arguments)
    terminal.until("seen\n")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    assert terminal.shown.endswith(f"^C\nInterrupted: {way_on}\n")
    if "-g" in arguments:
        assert shell.out("consume", "watched", *arguments, "-e") == ""


def test_a_big_file_has_a_progress_bar(shell: Shell, tmp_path: Path) -> None:
    """In a terminal only."""
    lines = tmp_path / "lines"
    lines.write_text("".join(f"event {number}\n" for number in range(5000)))
    terminal = shell.typed("produce", "barred", "-f", str(lines))
    assert terminal.wait() == 0
    assert "Producing to barred  [####################################]  100%" in terminal.shown
    assert terminal.shown.endswith("5000 records are stored.\n")
    done = shell.line(f"flux produce barred -f {lines}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_long_pipe_has_one_that_knows_no_end(shell: Shell) -> None:
    """Something moves."""
    terminal = shell.typed_line("seq 20000 | flux produce piped")
    assert terminal.wait() == 0
    assert "Producing to piped  [" in terminal.shown
    assert terminal.shown.endswith("20000 records are stored.\n")


def test_topics_complete(shell: Shell) -> None:
    """As a shell asks for it; with no broker there is nothing to offer, and no noise."""
    shell.out("topic", "create", "completed")
    asking = "COMP_WORDS='flux consume compl' COMP_CWORD=2 _FLUX_COMPLETE=bash_complete"
    done = shell.line(f"{asking} flux consume compl")
    assert (done.stdout, done.stderr) == ("plain,completed\n", "")
    done = shell.line(f"FLUX_BROKERS=127.0.0.1:1 {asking} flux consume compl")
    assert (done.stdout.strip(), done.stderr) == ("", "")
