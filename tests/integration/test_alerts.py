"""The webhook and real HTTP servers: one that listens, one that is in trouble first, one that never answers, one that is not there."""

import http.server
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.broker import BrokerProcess

PATIENCE_S = 30.0
PRODUCES = 100


class Listener(http.server.ThreadingHTTPServer):
    """Takes what is POSTed, after it has answered the first requests with *troubles*."""

    daemon_threads = True

    def __init__(self, *troubles: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.troubles = list(troubles)
        self.answered: list[int] = []
        self.posts: queue.Queue[tuple[str, str, dict[str, Any]]] = queue.Queue()

    @property
    def url(self) -> str:
        """With a secret, as such URLs have."""
        return f"http://127.0.0.1:{self.server_port}/flux?key=s3cret"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.troubles.pop(0) if self.server.troubles else 200
        self.server.answered.append(status)
        if status == 200:
            self.server.posts.put((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"thank you")

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def listening(*troubles: int) -> Iterator[Listener]:
    """A listener at work."""
    with Listener(*troubles) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE_S)


def broker_with(path: Path, url: str, *settings: str) -> BrokerProcess:
    """One whose followers have half a second to report. The URL is a variable: a command line can be read by everybody."""
    words = [word for each in ("replica_lag_timeout_ms=500", *settings) for word in ("--set", each)]
    return BrokerProcess(path, *words, FLUX_ALERT_WEBHOOK_URL=url)


def test_an_under_replicated_partition_reaches_the_webhook(tmp_path: Path) -> None:
    """And so does the end of it, and a change of leader, each with its cause."""
    with listening() as server, broker_with(tmp_path / "data", server.url) as broker:
        client = broker.client()
        assert client.ask("ADMIN_CREATE_TOPIC", "t 1 2").startswith("OK|")
        path, kind, document = server.posts.get(timeout=PATIENCE_S)
        assert (path, kind) == ("/flux?key=s3cret", "application/json")
        assert (document["broker_id"], document["dropped"], len(document["alerts"])) == (0, 0, 1)
        alert = document["alerts"][0]
        assert abs(alert.pop("at_ms") - time.time() * 1000) < PATIENCE_S * 1000
        assert alert == {
            "kind": "under_replicated",
            "topic": "t",
            "partition": 0,
            "cause": "out of sync: 1",
            "leader": 0,
            "leader_epoch": 0,
            "replicas": [0, 1],
            "isr": [0],
        }
        assert client.ask("REPLICA_FETCH", "t 0 1 -1").startswith("OK|replica=1 ")
        kinds = [server.posts.get(timeout=PATIENCE_S)[2]["alerts"][0]["kind"]]
        assert kinds == ["under_replication_ended"]
        assert client.ask("SET_PARTITION_ROLE", "t 0 follower").startswith("OK|topic=t ")
        told = [server.posts.get(timeout=PATIENCE_S)[2]["alerts"][0]]
        while told[-1]["kind"] != "leadership_changed":  # the follower may have fallen silent again
            told.append(server.posts.get(timeout=PATIENCE_S)[2]["alerts"][0])
        assert (told[-1]["leader"], told[-1]["cause"]) == (None, "role set to follower by an operator")
        client.close()
        assert broker.stop() == 0
        assert "Traceback" not in broker.log()
        assert "s3cret" not in broker.log()


def test_a_server_in_trouble_is_asked_again(tmp_path: Path) -> None:
    """The alert arrives once it is well; the log tells both, once."""
    with listening(503, 500) as server, broker_with(tmp_path / "data", server.url) as broker:
        client = broker.client()
        assert client.ask("ADMIN_CREATE_TOPIC", "t 1 2").startswith("OK|")
        _, _, document = server.posts.get(timeout=PATIENCE_S)
        assert document["alerts"][0]["kind"] == "under_replicated"
        assert server.answered == [503, 500, 200]
        client.close()
        assert broker.stop() == 0
        assert broker.log().count("the webhook does not take alerts: HTTP status 503") == 1
        assert broker.log().count("the webhook does not take alerts") == 1


@pytest.mark.parametrize("server_is", ["dead", "slow"])
def test_a_webhook_in_trouble_slows_no_produce(tmp_path: Path, server_is: str) -> None:
    """While an attempt hangs, and while one after the other is refused; nor does it hold up the stop."""
    attempt_s = 60.0
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        if server_is == "dead":
            server.close()
        with broker_with(tmp_path / "data", url, f"alert_webhook_timeout_ms={attempt_s * 1000:.0f}") as broker:
            client = broker.client()
            assert client.ask("ADMIN_CREATE_TOPIC", "t 1 2").startswith("OK|")
            if server_is == "slow":
                connection, _ = server.accept()
                assert connection.recv(4) == b"POST"
            else:
                until_logged(broker, "the webhook does not take alerts: ConnectionRefusedError")
            started = time.monotonic()
            for number in range(PRODUCES):
                assert client.ask("PRODUCE", f"t k:{number} acks=all") == f"OK|partition=0 offset={number} hw={number}"
            assert time.monotonic() - started < attempt_s / 2
            client.close()
            stopping = time.monotonic()
            assert broker.stop() == 0
            assert time.monotonic() - stopping < attempt_s / 2
            assert "Traceback" not in broker.log()
            if server_is == "slow":
                connection.close()


def test_an_answer_without_end_is_not_read(tmp_path: Path) -> None:
    """Its status is all that counts: the connection is closed, and the next alert comes on another."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        broker_with(tmp_path / "data", f"http://127.0.0.1:{server.getsockname()[1]}/") as broker,
    ):
        server.settimeout(PATIENCE_S)
        client = broker.client()
        for topic in ("a", "b"):
            assert client.ask("ADMIN_CREATE_TOPIC", f"{topic} 1 2").startswith("OK|")
            connection, _ = server.accept()
            connection.settimeout(PATIENCE_S)
            with connection, connection.makefile("rb") as request:
                assert request.readline() == b"POST / HTTP/1.1\r\n"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nand so on")
                assert b'"under_replicated"' in request.read()  # up to the end: the broker closed
        client.close()


def until_logged(broker: BrokerProcess, sentence: str) -> None:
    """Until its log holds *sentence*."""
    deadline = time.monotonic() + PATIENCE_S
    while sentence not in broker.log():
        assert time.monotonic() < deadline, broker.log()
