"""Real power cuts: a loop-mounted ext4 (or XFS) is shut down under a broker that is being written to.

``FS_IOC_SHUTDOWN`` without a log flush stops a file system as a pulled plug would: what was not written back is gone. Needs
root, a loop device and mkfs; not part of CI. What an acknowledgement promises is that the record outlives the cut; an
acknowledgement read after the cut promises nothing, because the order of the two is unknown.

    python -m bench.power_cut --cuts 100
"""

import argparse
import contextlib
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.flux_server import flux
from bench.servers import Server

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
_NO_LOG_FLUSH = struct.pack("I", 2)
_IMAGE_BYTES = 384 << 20
_IN_FLIGHT = 64


class Medium:
    """A file system in a file, mounted on a directory."""

    def __init__(self, place: Path, kind: str) -> None:
        self.path = place / "mounted"
        self._image = place / "image"
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(_IMAGE_BYTES)
        subprocess.run([f"mkfs.{kind}", "-q", str(self._image)], check=True)

    def mount(self) -> None:
        """Attach it, replaying its journal if need be."""
        subprocess.run(["mount", "-o", "loop", str(self._image), str(self.path)], check=True)

    def cut(self) -> None:
        """The plug."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Detach it; whoever held files open is gone by now."""
        for _ in range(50):
            if subprocess.run(["umount", str(self.path)], check=False, capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.path} cannot be unmounted")


class Writer:
    """One connection with numbered records in flight; never blocks."""

    def __init__(self, port: int, label: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setblocking(False)
        self._label = label
        self._sent = self._answered = 0
        self._text = b""

    def send(self) -> None:
        """Fill the pipe."""
        wanted = range(self._sent, self._answered + _IN_FLIGHT)
        lines = [f"V1|{n}|PRODUCE|events {self._label}k{n % 9}:{self._label}.{n} acks=1\n" for n in wanted]
        if lines:
            self._socket.sendall("".join(lines).encode())
            self._sent = wanted.stop

    def acknowledged(self) -> Iterator[tuple[tuple[int, int], str]]:
        """Where what was sent went, as far as answers have come."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self._socket.recv(1 << 16):
                self._text += data
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            number, outcome, payload = line.decode().split("|", 3)[1:]
            self._answered = int(number) + 1
            if outcome == "OK":
                fields = dict(field.split("=") for field in payload.split(" "))
                yield (int(fields["partition"]), int(fields["offset"])), f"{self._label}.{number}"

    def close(self) -> None:
        """Let go."""
        self._socket.close()


def main() -> None:
    """Cut again and again; print what was lost, and stop at the first loss with the medium kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.power_cut", description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--fs", choices=("ext4", "xfs"), default="ext4")
    parser.add_argument("--mode", choices=("always", "interval", "never"), default="always")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    acked: dict[tuple[int, int], str] = {}
    lost = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flux-power-") as name:
        medium = Medium(Path(name), options.fs)
        for cut in range(options.cuts):
            acked |= _life(medium, options.mode, cut, dice)
            lost = _missing(medium, options.mode, acked)
            if lost:
                print(f"cut {cut + 1}: {lost} acknowledged records are missing or changed (seed {options.seed})")
                break
    cuts, seconds = cut + 1, time.monotonic() - began
    print(
        f"{options.fs}, fsync_mode={options.mode}: {cuts} power cuts, {len(acked)} records acknowledged, {lost} lost"
        f" (95 % upper bound {3 / cuts:.1%} a cut), {seconds:.0f} s, seed {options.seed}"
    )
    sys.exit(1 if lost else 0)


def _life(medium: Medium, mode: str, number: int, dice: random.Random) -> dict[tuple[int, int], str]:
    """A broker from its start to a cut; what it acknowledged before."""
    acked: dict[tuple[int, int], str] = {}
    medium.mount()
    try:
        with _broker(medium, mode) as server:
            writers = [Writer(server.port, f"c{number}w{w}") for w in range(4)]
            until = time.monotonic() + dice.uniform(0.05, 0.4)
            while time.monotonic() < until:
                for writer in writers:
                    writer.send()
                    acked.update(writer.acknowledged())
            for writer in writers:
                acked.update(writer.acknowledged())  # the last that were read before the cut
            medium.cut()
            os.kill(server.pid, signal.SIGKILL)
            for writer in writers:
                writer.close()
    finally:
        medium.unmount()
    return acked


def _missing(medium: Medium, mode: str, acked: dict[tuple[int, int], str]) -> int:
    """How many of *acked* are not where they were acknowledged, after a restart."""
    medium.mount()
    try:
        with _broker(medium, mode) as server:
            found = {place: value for p in range(3) for place, value in _read(server, p)}
            os.kill(server.pid, signal.SIGKILL)
    finally:
        medium.unmount()
    return sum(found.get(place) != value for place, value in acked.items())


def _read(server: Server, partition: int) -> Iterator[tuple[tuple[int, int], str]]:
    offset = 0
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection,
        connection.makefile("rb") as replies,
    ):
        while True:
            connection.sendall(b"V1|1|CONSUME|events %d %d reset=earliest\n" % (partition, offset))
            payload = replies.readline().decode().split("|", 3)[3]
            fields = dict(field.split("=", 1) for field in payload.split())
            for item in filter(None, fields["messages"].split(",")):
                at, _, value = item.partition(":")
                yield (partition, int(at)), value
            if int(fields["next"]) == offset:
                return
            offset = int(fields["next"])


def _broker(medium: Medium, mode: str) -> contextlib.AbstractContextManager[Server]:
    settings = (f"fsync_mode={mode}", "segment_max_bytes=262144", "disk_low_bytes=0", "disk_reserve_bytes=0")
    return flux(*settings, directory=medium.path)


if __name__ == "__main__":
    main()
