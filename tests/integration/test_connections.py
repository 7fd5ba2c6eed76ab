"""Connections of every kind, through a real reactor."""

import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

from tests.integration.broker import BrokerProcess

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "flux-echo" / "flux" / "plugins" / "flux_echo.py"
TOO_LONG = b"x" * (3 << 20)
# A self-signed certificate is made anew for each test: it needs no key in the tree that somebody might take for a secret.
MAKE_CERTIFICATE = """
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
start = datetime.datetime(2020, 1, 1)
builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=36500))
certificate = builder.sign(key, hashes.SHA256())
sys.stdout.buffer.write(key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
sys.stdout.buffer.write(certificate.public_bytes(serialization.Encoding.PEM))
"""


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the broker closes its side."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def test_a_client_that_sends_far_too_much_can_read_why_it_was_refused(tmp_path: Path) -> None:
    """What was before is answered, then the refusal, then the end; never a reset, though 2 MiB were not read by then."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        client.socket.sendall(b"V1|1|PING|\n" + TOO_LONG + b"\nV1|2|PING|\n")
        received = read_to_end(client.socket)
        client.close()
        assert received.startswith(b"V1|1|OK|pong=true\nV1|0|ERR|MESSAGE_TOO_LARGE|")
        assert received.count(b"\n") == 2


def test_a_unix_socket_serves_like_any_other(tmp_path: Path) -> None:
    """Half-close and refusal included."""
    path = tmp_path / "flux.sock"
    with BrokerProcess(tmp_path / "data", "--endpoint", f"unix:{path}", "--endpoint", "tcp:0:interface=127.0.0.1"):
        for sent, wanted in (
            (b"V1|1|PRODUCE|t user1:a\nV1|2|PING|", b"V1|1|OK|partition=2 offset=0 hw=0\nV1|2|OK|pong=true\n"),
            (TOO_LONG, b"V1|0|ERR|MESSAGE_TOO_LARGE|"),
        ):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(path))
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                assert read_to_end(client).startswith(wanted)


def test_tls_serves_like_any_other(tmp_path: Path) -> None:
    """In both directions, with more than one record layer's worth, and to a refusal's end."""
    pem = tmp_path / "server.pem"
    pem.write_bytes(subprocess.run([sys.executable, "-c", MAKE_CERTIFICATE], check=True, capture_output=True).stdout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pem)
    endpoint = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    with BrokerProcess(tmp_path / "data", "--endpoint", endpoint) as broker:
        value = b"v" * 500_000
        port = int(re.findall(r"listening on .*port=(\d+)", broker.log())[-1])  # broker.port is the one without TLS
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"".join(b"V1|%d|PRODUCE|t user1:%b\n" % (number, value) for number in (1, 2, 3, 4)))
            replies = client.makefile("rb")
            for number in (1, 2, 3, 4):
                assert replies.readline().startswith(b"V1|%d|OK|partition=2 " % number)
            client.sendall(b"V1|5|CONSUME|t 2 0 max_bytes=4000000\nV1|6|PING|\n")
            assert replies.readline().startswith(b"V1|5|OK|messages=0:" + value + b",1:")
            assert replies.readline() == b"V1|6|OK|pong=true\n"
            client.sendall(b"V1|7|PING|\n" + b"x" * (1 << 20) + b"xxx")
            assert replies.readline() == b"V1|7|OK|pong=true\n"
            assert replies.readline().startswith(b"V1|0|ERR|MESSAGE_TOO_LARGE|")
            assert replies.read() == b""


def test_a_third_party_family_is_found_and_a_broken_one_reported(tmp_path: Path) -> None:
    """By lying on sys.path, nothing more; the broker names both in its log."""
    plugins = tmp_path / "site" / "flux" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "flux_echo.py").write_bytes(EXAMPLE.read_bytes())
    (plugins / "flux_broken.py").write_text("import there_is_no_such_module\n")
    path = f"{Path(__file__).parents[2]}:{plugins.parents[1]}"
    with BrokerProcess(tmp_path / "data", PYTHONPATH=path) as broker:
        client = broker.client()
        assert client.ask("ECHO", "hello, | world") == "OK|text=hello, | world"
        assert client.ask("ECHO").startswith("ERR|BAD_REQUEST|text: ")
        assert "ECHO" in client.ask("HELLO")
        assert client.ask("HELP", "ECHO").startswith("OK|help=ECHO%20%3Ctext%3E")
        assert client.ask("PRODUCE", "t user1:a").startswith("OK|")
        client.close()
    assert "command families: " in broker.log() and "echo" in broker.log()
    assert "drop-in flux.plugins.flux_broken cannot be imported" in broker.log()


def test_two_families_that_claim_one_command_stop_the_start(tmp_path: Path) -> None:
    """The sentence names both."""
    plugins = tmp_path / "site" / "flux" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "flux_rival.py").write_bytes(EXAMPLE.read_bytes().replace(b'"ECHO"', b'"PING"'))
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from flux.cli import main; main()",
            "serve",
            "--port",
            "0",
            "--data-dir",
            tmp_path / "data",
        ],
        env=os.environ | {"PYTHONPATH": f"{Path(__file__).parents[2]}:{plugins.parents[1]}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "flux: command PING is claimed by two families: " in result.stderr
    assert "flux.commands" not in result.stderr.split("flux: command PING")[0], "no traceback"
