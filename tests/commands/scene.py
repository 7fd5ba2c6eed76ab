"""A whole broker in memory, and connections that speak to it: the real rooms on the model disk, with a clock that only the test moves."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flux.broker import Broker
from flux.config import Config, StorageConfig
from flux.disk.memory import MemoryDisk
from flux.interfaces import InThread, Syncs
from flux.model import TopicPartition
from flux.replication.partition import Partition
from flux.server.protocol import FluxProtocol
from flux.testing import QueuedThread, syncs_in
from tests.server.scene import request_line, shown

_MOST_ROUNDS = 1000  # of threads and reactor: settle() ends, even when each leads to another


class Threads(Service):
    """Threads that work when the test says so."""

    def __init__(self) -> None:
        self.queues: list[QueuedThread] = []

    def one(self, name: str) -> InThread:
        self.queues.append(QueuedThread())
        return self.queues[-1]

    def several(self, name: str, count: int) -> Syncs:
        return syncs_in(self.one(name))


class Connection:
    """One client."""

    def __init__(self, scene: "Scene") -> None:
        self._scene = scene
        self.transport = StringTransport()
        protocol = scene.broker.factory.buildProtocol(self.transport.getPeer())
        assert isinstance(protocol, FluxProtocol)
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def arrive(self, *requests: bytes) -> None:
        """``b"1 PRODUCE t a:b"`` → ``V1|1|PRODUCE|t a:b``, all in one chunk; the reactor's turn is not over."""
        self.protocol.dataReceived(b"".join(request_line(request) for request in requests))

    def send(self, *requests: bytes) -> None:
        """:meth:`arrive`, and the turn ends. The disk does nothing yet."""
        self.arrive(*requests)
        self._scene.clock.advance(0)

    def lines(self) -> list[bytes]:
        """Answers since the last call, as they came."""
        value: bytes = self.transport.value()
        self.transport.clear()
        return value.splitlines()

    def answers(self) -> list[bytes]:
        """Answers since the last call; ids and payloads, or ids and codes."""
        return [shown(line) for line in self.lines()]

    def ask(self, *requests: bytes) -> list[bytes]:
        """:meth:`send`, let the disk work, and :meth:`answers`."""
        self.send(*requests)
        self._scene.settle()
        return self.answers()


class Scene:
    """Topics have three partitions. Nothing is durable, and no topic is created, before :meth:`settle`."""

    def __init__(self, config: Config | None = None) -> None:
        # The reserve file would be 64 MiB of memory for each scene.
        self.config = replace(config or Config(), storage=StorageConfig(disk_reserve_bytes=0))
        self.disk = MemoryDisk(Random(0))
        self.clock = Clock()
        self._ids = count()
        self.start()

    def start(self) -> None:
        """A new process on whatever the disk holds."""
        self.threads = Threads()
        self.broker = Broker(
            self.config,
            directory=self.disk.root.child("data"),
            clock=self.clock,
            now=self.now,
            threads=self.threads,
            new_id=lambda: f"id-{next(self._ids)}",
        )
        self.broker.startService()
        self.client = self.connect()

    def restart(self) -> None:
        """A clean stop, and a new process on what it leaves."""
        stopped: list[Any] = []
        self.client.protocol.connectionLost()
        self.broker.stopService().addBoth(stopped.append)
        self.settle()
        assert stopped == [None], f"it did not stop: {stopped}"
        self.start()

    def connect(self) -> Connection:
        return Connection(self)

    def now(self) -> float:
        return 1_700_000_000.0 + self.clock.seconds()

    def settle(self) -> None:
        """The threads do what they were given, the reactor what that leads to, until there is no more."""
        for _ in range(_MOST_ROUNDS):
            for queue in self.threads.queues:
                queue.perform_all()
            self.clock.advance(0)
            due = [call for call in self.clock.getDelayedCalls() if call.getTime() <= self.clock.seconds()]
            if not due and not any(map(len, self.threads.queues)):
                return
        raise AssertionError("there is no end to it")

    def partition(self, topic: str, number: int) -> Partition:
        return self.broker.partitions.get(TopicPartition(topic, number))

    def ask(self, *requests: bytes) -> list[bytes]:
        """What :attr:`client` is answered."""
        return self.client.ask(*requests)

    def create(
        self, name: str, partitions: int = 3, replicas: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        created: list[Any] = []
        self.broker.controller.create_topic(name, partitions, replicas, config or {}).addCallback(created.append)
        self.settle()
        assert created, f"{name} was not created"
