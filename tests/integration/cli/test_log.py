"""``flux log`` on what a real broker left: whole, and damaged in every way."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux.batch import encode
from flux.crc32c import crc32c
from flux.storage.checkpoint import parse, render
from tests.integration.broker import BrokerProcess
from tests.integration.cli.shell import FLUX, PATIENCE_S, Shell

RECORDS = 60
LOG = "orders-0"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after a clean stop: one topic in several segments, and a group that committed."""
    data = tmp_path_factory.mktemp("log") / "data"
    small = ("segment_max_bytes=4096", "index_interval_bytes=500")
    with BrokerProcess(data, *(word for setting in small for word in ("--set", setting))) as broker:
        client = broker.client()
        client.ask("ADMIN_CREATE_TOPIC", "orders 1 1")
        for number in range(RECORDS):
            answer = client.ask("PRODUCE", f"orders k{number}:{number} {'x' * 200} ts={1_700_000_000_000 + number}")
            assert answer.startswith("OK"), answer
        assert client.ask("JOIN", "g1 orders c1") == "OK|generation=2 assigned=[0]"
        assert client.ask("COMMIT", "g1 orders c1 2 0 17") == "OK|committed=true"
        client.close()
        assert broker.stop() == 0
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(original, tmp_path / "data"))


@pytest.fixture
def nobody() -> Iterator[Shell]:
    """A shell without a broker."""
    with Shell("127.0.0.1:1") as shell:
        yield shell


def flip_byte(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """A checkpoint whose CRC is right and which lies."""
    content, generation = parse(path.read_bytes())
    change(content)
    path.write_bytes(render(content, generation))


def segments(data: Path) -> list[Path]:
    return sorted((data / LOG).glob("*.log"))


def everything(data: Path) -> dict[str, tuple[bytes, int]]:
    """Each file's content, and when it was changed."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in data.rglob("*") if path.is_file()}


def rows(shell: Shell, *arguments: str) -> tuple[int, list[list[str]]]:
    result = shell.run("log", "verify", *arguments)
    return result.exit_code, [line.split("\t") for line in result.stdout.splitlines()]


def test_what_a_broker_leaves_is_clean(original: Path, nobody: Shell) -> None:
    """After a clean stop, and as JSON; one partition alone too."""
    result = nobody.run("log", "verify", str(original))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(": clean.\n")
    result = nobody.run("log", "verify", "--records", "--format", "json", str(original))
    found = json.loads(result.stdout)
    assert (result.exit_code, found["damage"], found["notes"], found["findings"]) == (0, 0, 0, [])
    logs = {log["log"]: log for log in found["logs"]}
    assert (logs[LOG]["records"], logs[LOG]["end_offset"]) == (RECORDS, RECORDS)
    assert logs[LOG]["segments"] == len(segments(original)) > 3
    assert logs["__consumer_offsets-0"]["records"] == 2
    assert rows(nobody, str(original / LOG)) == (0, [])


def test_a_killed_broker_leaves_no_damage(tmp_path: Path, nobody: Shell) -> None:
    """SIGKILL alone costs nothing."""
    with BrokerProcess(tmp_path / "data", "--set", "segment_max_bytes=4096") as broker:
        client = broker.client()
        for number in range(50):
            client.ask("PRODUCE", f"orders :{number} {'x' * 200}")
        client.close()
        broker.kill()
    result = nobody.run("log", "verify", str(tmp_path / "data"))
    assert (result.exit_code, result.stdout) == (0, ""), result.output


def test_each_damage_is_reported(data: Path, nobody: Shell) -> None:
    """By kind and file; the exit status is 1, and what was not damaged is not accused."""
    copy = data.with_name("copy")
    first, second, third, *_, last = (path.name for path in segments(data))
    base = f"{LOG}/"

    def lies(name: str, content: object) -> Callable[[], object]:
        return lambda: (data / name).write_bytes(render(content))

    damages: list[tuple[Callable[[], object], set[tuple[str, str, str]]]] = [
        (lambda: flip_byte(data / LOG / second, 100), {("damaged batch", LOG, second)}),
        (lambda: flip_byte(data / LOG / second, 5), {("damaged batch", LOG, second)}),
        (lambda: flip_byte(data / LOG / second, 15), {("damaged batch", LOG, second)}),
        (
            lambda: os.truncate(data / LOG / last, (data / LOG / last).stat().st_size - 7),
            {("torn tail", LOG, last), *(("checkpoint", LOG, name) for name in ("clean-shutdown", "high-watermarks.json"))},
        ),
        (lambda: (data / LOG / second).unlink(), {("gap", LOG, third)}),
        (lambda: (data / LOG / first).unlink(), {("gap", LOG, second)}),
        (lambda: shutil.rmtree(data / LOG), {("gap", LOG, "-")}),
        (lambda: (data / LOG / second).with_suffix(".index").unlink(), {("index", LOG, second[:-4] + ".index")}),
        (
            lambda: flip_byte((data / LOG / second).with_suffix(".timeindex"), 3),
            {("index", LOG, second[:-4] + ".timeindex")},
        ),
        (lambda: (data / LOG / second).with_suffix(".digest").unlink(), {("index", LOG, second[:-4] + ".digest")}),
        (lambda: flip_byte(data / base / "leader-epoch-checkpoint", 2), {("checkpoint", LOG, "leader-epoch-checkpoint")}),
        (lambda: (data / base / "gaps.json").write_bytes(b"[]"), {("checkpoint", LOG, "gaps.json")}),
        (lambda: flip_byte(data / "metadata.json", 90), {("checkpoint", "-", "metadata.json")}),
        (lambda: flip_byte(data / "offsets.json", 90), {("checkpoint", "-", "offsets.json")}),
        (lambda: flip_byte(data / "groups.json.prev", 60), {("checkpoint", "-", "groups.json.prev")}),
        (lambda: flip_byte(data / "clean-shutdown", 60), {("checkpoint", "-", "clean-shutdown")}),
        (lambda: (data / "meta.properties").write_bytes(b"?"), {("checkpoint", "-", "meta.properties")}),
        (lies("recovery-points.json", {LOG: RECORDS + 5}), {("checkpoint", LOG, "recovery-points.json")}),
        (lies("log-start-offsets.json", {LOG: RECORDS + 5}), {("checkpoint", LOG, "log-start-offsets.json")}),
        (
            lambda: rewrite(data / "offsets.json", lambda c: c.update(log_offset=9)),
            {("checkpoint", "__consumer_offsets-0", "offsets.json")},
        ),
        (
            lambda: rewrite(data / "clean-shutdown", lambda c: c.update({LOG: [RECORDS, 0, 1]})),
            {("checkpoint", LOG, "clean-shutdown")},
        ),
        (
            lambda: rewrite(
                data / "high-watermarks.json",
                lambda c: [t["high_watermarks"].update({"0": 99}) for t in c["topics"].values() if t["topic"] == "orders"],  # type: ignore[attr-defined]
            ),
            {("checkpoint", LOG, "high-watermarks.json")},
        ),
    ]  # fmt: skip
    shutil.copytree(data, copy)
    for number, (damage, due) in enumerate(damages):
        damage()
        before = everything(data)
        status, found = rows(nobody, str(data))
        assert status == 1, number
        assert {tuple(row[1:4]) for row in found if row[0] == "damage"} == due, (number, found)
        assert everything(data) == before, "it looked, and something changed"
        shutil.rmtree(data)
        shutil.copytree(copy, data)


def test_a_finding_says_where_and_what_follows(data: Path, nobody: Shell) -> None:
    """File, byte, bytes and offsets: in columns, in words and as JSON."""
    name = segments(data)[1].name
    flip_byte(data / LOG / name, 100)
    size = 12 + int.from_bytes((data / LOG / name).read_bytes()[8:12])
    first = int(name[:20])
    why = json.loads(nobody.run("log", "verify", "--format", "json", str(data)).stdout)["findings"][0]["why"]
    assert "CRC-32C is" in why
    then = "it stays where it is; readers pass over it"
    status, found = rows(nobody, str(data))
    assert (status, found) == (1, [["damage", "damaged batch", LOG, name, "0", str(size), str(first), why, then]])
    result = nobody.run("log", "verify", "--format", "table", str(data))
    assert result.stdout == (
        f"damage: damaged batch {LOG}/{name}, at byte 0, {size} bytes, offset {first}\n  {why}; {then}\n"
    )
    assert result.stderr.endswith(": 1 finding of damage.\n")


def test_bad_records_are_found_if_asked_for(data: Path, nobody: Shell) -> None:
    """A batch whose CRC is right and whose records are none; and one in the group log without being asked."""
    for log, option, status in ((LOG, (), 0), (LOG, ("--records",), 1), ("__consumer_offsets-0", (), 1)):
        path = max((data / log).glob("*.log"))
        batch = encode([b"k"], [b"v"], 0)
        position, end = path.stat().st_size, 2 if log != LOG else RECORDS
        body = bytearray(batch.body)
        body[45] = 0x7F  # the record's length
        if log == LOG:
            body[1:5] = crc32c(bytes(body[5:])).to_bytes(4, "big")
        else:
            body = bytearray(batch.body)
        (data / "clean-shutdown").unlink(missing_ok=True)
        content = path.read_bytes()
        path.write_bytes(content + batch.prefix(end, 0) + body)
        code, found = rows(nobody, *option, str(data))
        assert code == status, found
        bad = [row for row in found if row[1] == "bad records"]
        assert [row[2:5] for row in bad] == ([[log, path.name, str(position)]] if status else []), found
        path.write_bytes(content)


def test_a_running_broker_is_told_of_and_not_disturbed(tmp_path: Path, nobody: Shell) -> None:
    """While it writes; the lock stays its own."""
    with BrokerProcess(tmp_path / "data", "--set", "segment_max_bytes=4096") as broker:
        client = broker.client()
        for _ in range(5):
            client.ask_all([("PRODUCE", f"orders :{'x' * 200}")] * 50)
            result = nobody.run("log", "verify", str(tmp_path / "data"))
            assert (result.exit_code, result.stdout) == (0, ""), result.output
            assert result.stderr.startswith(f"Note: a broker runs on {tmp_path / 'data'};")
        assert "Note: a broker runs on" in nobody.run("log", "dump", "-c", "1", str(tmp_path / "data")).stderr
        client.close()
        assert broker.stop() == 0
    assert "Note" not in nobody.run("log", "verify", str(tmp_path / "data")).stderr


def test_a_dump_shows_batches_and_records(original: Path, nobody: Shell) -> None:
    """From an offset, so many, in columns, in words, as JSON lines; nothing changes."""
    before = everything(original)
    path = str(original / LOG)
    found = [
        line.split("\t") for line in nobody.out("log", "dump", "-o", "20", "-c", "2", "--records", path).splitlines()
    ]
    assert [row[:7] for row in found] == [
        ["record", LOG, str(number), str(1_700_000_000_000 + number), "0", f"k{number}", f"{number} {'x' * 200}"]
        for number in (20, 21)
    ]
    words = nobody.out("log", "dump", "-c", "1", "--format", "table", path).splitlines()
    assert words[0].startswith(f"batch {LOG}/00000000000000000000.log at byte 0, ")
    assert words[0].endswith(", offset 0, 1 record, epoch 0, 2023-11-14T22:13:20.000Z")
    assert words[1] == f"  0  2023-11-14T22:13:20.000Z  k0  0 {'x' * 200}"
    objects = [json.loads(line) for line in nobody.out("log", "dump", "--format", "json", path).splitlines()]
    assert [item["offset"] for item in objects if item["type"] == "record"] == list(range(RECORDS))
    batches = [item for item in objects if item["type"] == "batch"]
    assert [item["base_offset"] for item in batches] == list(range(RECORDS))
    assert sum(item["bytes"] for item in batches) == sum(path.stat().st_size for path in segments(original))
    ends = nobody.out("log", "dump", "--batches", "-e", "3", path).splitlines()
    assert [line.split("\t")[5] for line in ends] == ["0", "1", "2"]
    assert everything(original) == before


def test_the_group_log_is_shown_in_words(original: Path, nobody: Shell) -> None:
    """Who came, who committed what; as JSON, keys and values are what they hold."""
    path = str(original / "__consumer_offsets-0")
    words = nobody.out("log", "dump", "--records", "--format", "table", path).splitlines()
    assert [line.split("  ")[-1] for line in words] == [
        "g1 on orders: generation 2 by round_robin: c1 has 0; joined: c1",
        "g1 commits 17 on orders-0: c1, generation 2",
    ]
    first, second = map(json.loads, nobody.out("log", "dump", "--records", "--format", "json", path).splitlines())
    assert (first["key"], first["value"]["members"]["c1"]["assigned"]) == (["generation", "g1", "orders"], [0])
    assert (second["key"], second["value"]) == (
        ["offset", "g1", "orders", 0],
        {"generation": 2, "member": "c1", "offset": 17},
    )


def test_a_dump_shows_damage_where_it_lies(data: Path, nobody: Shell) -> None:
    """And goes on after it; its exit status says so."""
    flip_byte(segments(data)[1], 100)
    first = int(segments(data)[1].name[:20])
    result = nobody.run("log", "dump", "--records", str(data / LOG))
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [row[2] for row in lines if row[0] == "record"] == [str(n) for n in range(RECORDS) if n != first]
    assert [(row[0], row[5]) for row in lines][first] == ("damage", str(first))


def test_what_is_no_log_is_refused(tmp_path: Path, nobody: Shell) -> None:
    """With what was looked for."""
    result = nobody.run("log", "verify", str(tmp_path))
    assert result.exit_code == 2
    assert "holds neither meta.properties, as a data directory does, nor segments of a log." in result.stderr
    assert nobody.run("log", "dump", str(tmp_path / "none")).exit_code == 2


def test_a_partition_s_files_alone_are_enough(original: Path, tmp_path: Path, nobody: Shell) -> None:
    """A directory that was copied elsewhere, under whatever name: nothing but its own files is asked for."""
    shutil.copytree(original / LOG, tmp_path / "evidence")
    assert rows(nobody, str(tmp_path / "evidence")) == (0, [])
    assert len(nobody.out("log", "dump", "--records", str(tmp_path / "evidence")).splitlines()) == RECORDS


def test_a_terminal_sees_progress_and_a_pipe_does_not(original: Path, tmp_path: Path, nobody: Shell) -> None:
    """On stderr; of a dump only while it fills a file."""
    terminal = nobody.typed("log", "verify", str(original))
    assert terminal.wait() == 0
    assert "verifying" in terminal.shown
    assert "clean." in terminal.shown
    assert "verifying" not in nobody.run("log", "verify", str(original)).output
    dump = f"flux log dump '{original}'"
    for line, is_shown in ((f"{dump} > '{tmp_path}/dump'", True), (f"{dump} | cat", False), (dump, False)):
        terminal = nobody.typed_line(line)
        assert terminal.wait() == 0
        assert ("dumping" in terminal.shown) is is_shown, line


def test_who_has_seen_enough_of_a_dump_ends_it(original: Path, nobody: Shell) -> None:
    """``| head`` is clean."""
    result = nobody.line(f"flux log dump '{original}' | head -n 3")
    assert (result.returncode, len(result.stdout.splitlines()), result.stderr) == (0, 3, "")


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Two logs, the second 40 times the first."""
    peaks = {}
    for name, count in (("small", 2), ("large", 80)):
        directory = tmp_path / name
        directory.mkdir()
        batch = encode([None] * 8, [bytes(131_072)] * 8, 1)  # 1 MiB
        with open(directory / f"{0:020d}.log", "wb") as file:
            for number in range(count):
                file.writelines((batch.prefix(8 * number, 0), batch.body))
        peaks[name] = [peak_kib("log", *words, str(directory)) for words in (["verify"], ["dump", "--batches"])]
    for small, large in zip(peaks["small"], peaks["large"], strict=True):
        assert large - small < 16_384, peaks


def peak_kib(*arguments: str) -> int:
    """Most memory that ``flux`` had resident."""
    process = subprocess.Popen([*FLUX, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # waited for; Popen is not to do it again
    process.wait(PATIENCE_S)
    return usage.ru_maxrss
