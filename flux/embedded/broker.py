"""What a test holds: a broker, and what may happen to it."""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal, Self

from flux.client import calls
from flux.client.blocking import BlockingClient
from flux.client.calls import Record, Text
from flux.embedded.host import Host, options
from flux.embedded.port import Port
from flux.embedded.process_host import ProcessHost
from flux.embedded.thread_host import ThreadHost
from flux.errors import FluxError
from flux.wire.produce import Produced

Mode = Literal["thread", "process"]
MODES: dict[Mode, Callable[..., Host]] = {"thread": ThreadHost, "process": ProcessHost}


class EmbeddedBroker:
    """The broker that ``twistd flux`` runs, on a directory and a port of its own: on a thread of this process, or in a process.

    *settings* are those of the configuration, such as ``num_partitions=1``; the environment's do not count. *data_dir* is kept. Without
    one, everything is in a temporary directory that goes with :meth:`close`, and ``fsync`` is not called: a power cut takes
    such a directory with it, and no kill takes what is written. A context manager: started, then closed.

    *Transitions*: down → up by :meth:`start` → down by :meth:`stop` or :meth:`kill`; :meth:`close` is final. All methods block, for
    milliseconds as a rule, and any thread but the broker's own may call them, one at a time.

    :raises BadSetting: one of *settings* will not do. :raises ValueError: nor will *mode*.
    """

    def __init__(self, data_dir: str | None = None, *, mode: Mode = "thread", **settings: Any) -> None:
        if mode not in MODES:
            raise ValueError(f"mode: {mode!r} is not known here; use {' or '.join(MODES)}")
        options("unknown", 1, settings)  # so that a bad one is found here
        self._mode: Mode = mode
        self._settings = settings
        self._data_dir = data_dir
        self._temporary: TemporaryDirectory[str] | None = None
        self._port = Port()
        self._host: Host | None = None
        self._is_up = False
        self._client: BlockingClient | None = None

    # --- where it is ---

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1, the same over all its lives. Known from the first start on."""
        return self._port.number

    @property
    def bootstrap(self) -> str:
        """Its address, as clients want it."""
        return f"127.0.0.1:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether it serves."""
        return self._is_up

    @property
    def client(self) -> BlockingClient:
        """A client of it, for whatever has no method here. It is closed with each life, and is another one in the next."""
        if self._client is None:
            self._client = BlockingClient(self.bootstrap)
        return self._client

    # --- what happens to it ---

    def start(self) -> Self:
        """Serve. :raises CannotStart: the directory will not do. :raises RuntimeError: it is up already."""
        if self._is_up:
            raise RuntimeError("the broker is up already")
        if self._host is None:
            self._host = self._new_host()
        self._port.release()
        self._host.start()
        self._is_up = True
        return self

    def stop(self) -> None:
        """End it as SIGTERM does: what is in flight is answered, everything is flushed, the stop is marked clean."""
        host = self._up()
        self._go_down()
        try:
            host.stop()
        finally:
            self._port.hold()

    def kill(self) -> None:
        """End it as ``kill -9`` does: nothing is flushed, marked or answered, and connections are cut.

        A process is really killed. A thread ends between two turns of its reactor; what it has written is in its files, as the kernel
        would have kept it.
        """
        host = self._up()
        self._go_down()
        try:
            host.kill()
        finally:
            self._port.hold()

    def restart(self) -> None:
        """Stop it, if it is up, and start it again: on the same port and directory, with its clocks where they were."""
        if self._is_up:
            self.stop()
        self.start()

    def close(self) -> None:
        """End it, up or down, and remove its temporary directory."""
        if self._is_up:
            self.kill()  # nothing of it will be read again, or else stop() was for that
        self._port.release()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass for the broker at once: sessions, retention, lag, waits, timestamps. Clients do not notice.

        What became due is done when this returns. A timer that would have gone off several times goes off once.

        :raises ValueError: they are negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds: {seconds} is negative, and time does not run backwards")
        self._up().advance(seconds)

    def fail_next(self, command: str, code: str, times: int = 1) -> None:
        """Answer the next request of *command*, or the next *times*, with the error *code*, without executing it.

        Forgotten when the broker goes down. A client sends again by itself what it may: see ``retriable`` of the error.

        :raises ValueError: the command or the code is not known.
        """
        self._up().fail_next(command.upper(), code.upper(), times)

    # --- what is in it ---

    def topic(self, name: str, partitions: int = 1, replication_factor: int = 1, **settings: object) -> str:
        """Create a topic; its name. *settings* have Kafka's names, with ``_`` for ``.``: ``retention_ms=1000``."""
        named = {setting.replace("_", "."): value for setting, value in settings.items()}
        self.client.admin_create_topic(name, partitions, replication_factor, named)
        return name

    def produce(self, topic: str, *values: Text | None, key: Text | None = None) -> list[Produced]:
        """Append *values*, in order and under one *key*, durably; where each went."""
        produced = []
        for outcome in self.client.send_all([calls.produce(topic, key, value) for value in values]):
            if isinstance(outcome, FluxError):
                raise outcome
            produced.append(outcome)
        return produced

    def records(self, topic: str, partition: int | None = None) -> list[Record]:
        """All that a consumer can see of *topic*, partition by partition, or of one *partition*. :raises UnknownTopic: there is none."""
        count = self.client.admin_describe_topic(topic).partitions
        found: list[Record] = []
        for number in range(count) if partition is None else (partition,):
            offset, end = 0, 1
            while offset < end:
                page = self.client.consume(topic, number, offset, reset="earliest")
                found += page.records
                offset, end = page.next_offset, page.high_watermark
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- inside ---

    def _new_host(self) -> Host:
        if self._data_dir is None:
            self._temporary = TemporaryDirectory(prefix="flux-broker-")
            self._data_dir = self._temporary.name
        self._port.hold()
        given = options(self._data_dir, self.port, self._settings)
        return MODES[self._mode](given, syncs=self._temporary is None)

    def _up(self) -> Host:
        if self._host is None or not self._is_up:
            raise RuntimeError("the broker is down; start() it first")
        return self._host

    def _go_down(self) -> None:
        self._is_up = False
        if self._client is not None:
            self._client.close()
            self._client = None
