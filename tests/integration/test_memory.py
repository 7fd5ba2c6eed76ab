"""Memory does not grow with the log, nor with what a client refuses to read."""

import socket
import time
from pathlib import Path

from tests.integration.broker import BrokerProcess, LineClient

GIB = 1 << 30
VALUE = b"x" * 65000


def test_producing_a_gibibyte_grows_the_process_by_less_than_60_mib(tmp_path: Path) -> None:
    """The log is on disk, not in memory; consuming it all does not change that."""
    with BrokerProcess(tmp_path / "data", "--set", "fsync_mode=interval") as broker:
        client = broker.client()
        client.ask_all([("PRODUCE", b"big k:" + VALUE)] * 16)
        before = broker.memory_kib()
        burst = b"".join(b"V1|%d|PRODUCE|big k%d:%b acks=1\n" % (i, i, VALUE) for i in range(16))
        highest = before
        for number in range(GIB // len(burst)):
            client.socket.sendall(burst)
            for _ in range(16):
                assert "|OK|" in client.line()
            if number % 50 == 0:
                highest = max(highest, broker.memory_kib())
        for partition in range(3):
            for _ in client.records("big", partition):
                pass
        highest = max(highest, broker.memory_kib())
        client.close()
        print(f"1 GiB produced and consumed: {before} KiB before, {highest} KiB at the most")
        assert highest - before < 60 * 1024


def test_a_client_that_never_reads_costs_a_bounded_amount(tmp_path: Path) -> None:
    """Thousands of pipelined CONSUMEs of a megabyte each, none read: a few answers wait, the rest are not begun."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        client.ask_all([("PRODUCE", b"big k:" + VALUE)] * 32)
        partition = client.ask("PRODUCE", "big k:last").split("partition=")[1].split(" ")[0]
        before = broker.memory_kib()
        stalled = socket.create_connection(("127.0.0.1", broker.port))
        stalled.setblocking(False)
        request = f"V1|1|CONSUME|big {partition} 0\n".encode()
        pushed = 0
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and pushed < 50 << 20:
            try:
                pushed += stalled.send(request * 1000)
            except BlockingIOError:
                if pushed and time.monotonic() > deadline - 3:
                    break  # the broker reads no more: that is the point
                time.sleep(0.01)
        highest = broker.memory_kib()
        assert client.ask("PING") == "OK|pong=true"
        stalled.close()
        client.close()
        print(f"{pushed} bytes of CONSUME never read: {before} KiB before, {highest} KiB then")
        assert highest - before < 64 * 1024


def test_2000_idle_connections_are_held(tmp_path: Path) -> None:
    """Each still answers afterwards."""
    with BrokerProcess(tmp_path / "data") as broker:
        before = broker.memory_kib()
        clients = [LineClient(broker.port) for _ in range(2000)]
        assert all(client.ask("PING") == "OK|pong=true" for client in clients)
        after = broker.memory_kib()
        for client in clients:
            client.close()
        print(f"2,000 connections: {(after - before) / 2000:.1f} KiB each")
        assert after - before < 2000 * 64
