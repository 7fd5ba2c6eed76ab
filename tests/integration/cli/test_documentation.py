"""What the documentation shows of the command is what it does."""

from pathlib import Path

from tests.integration.broker import BrokerProcess
from tests.integration.cli import transcripts
from tests.integration.cli.shell import Shell

ORDERS = (("user1", "created"), ("user1", "paid"), ("user2", "created"))


def test_log_tools(tmp_path: Path) -> None:
    """On a data directory as the page describes it."""
    with BrokerProcess(tmp_path / "flux-data") as broker:
        client = broker.client()
        client.ask("ADMIN_CREATE_TOPIC", "orders 1 1")
        for number, (key, value) in enumerate(ORDERS):
            client.ask("PRODUCE", f"orders {key}:{value} ts={1_700_000_000_000 + 1000 * number}")
        client.ask("JOIN", "billing orders c1")
        client.ask("COMMIT", "billing orders c1 2 0 2")
        client.close()
        broker.stop()
    with Shell("127.0.0.1:1") as nobody:
        assert transcripts.run("log-tools.rst", nobody, tmp_path) == 8


def test_groups_and_cluster(tmp_path: Path) -> None:
    """On a broker as the page describes it."""
    with BrokerProcess(tmp_path / "data") as broker, Shell(f"127.0.0.1:{broker.port}") as shell:
        client = broker.client()
        client.ask("ADMIN_CREATE_TOPIC", "orders 2 1")
        for number in range(6):
            client.ask("PRODUCE", f"orders user{number}:created ts={1_700_000_000_000 + 1000 * number}")
        client.ask("JOIN", "billing orders c1 session_ms=60000")
        client.ask("COMMIT", "billing orders c1 2 0 2")
        client.close()
        assert transcripts.run("groups-and-cluster.rst", shell, tmp_path) == 10


def test_the_command_line(tmp_path: Path) -> None:
    """On a broker that has nothing yet."""
    with BrokerProcess(tmp_path / "data") as broker, Shell(f"127.0.0.1:{broker.port}") as shell:
        assert transcripts.run("command-line.rst", shell, tmp_path) == 16
