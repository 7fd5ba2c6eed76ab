"""Every promise one room makes another.

The rooms never import each other: each is handed objects that keep these promises, by :mod:`flux.broker`. Where something
waits the promise is a :class:`~twisted.internet.defer.Deferred`, which has *started*; what decides is a plain call.
Clock, wall time and threads are arguments everywhere: ``clock`` (:class:`~twisted.internet.interfaces.IReactorTime`),
``now`` (seconds since the Unix epoch as a float) and ``in_thread`` (call a function elsewhere, return a Deferred).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from flux.batch import EncodedBatch
from flux.config import Config
from flux.errors import StorageError
from flux.model import Acks, Alert, Appended, Fetched, Role, TopicPartition
from flux.partitioner import KeyRoutes
from flux.watermark import Watermark

T = TypeVar("T")


class InThread(Protocol):
    """Calls a function off the reactor thread. In tests: at once, or when the test says."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """Fire with what *function* returns, or fail with what it raises."""


class AtOnce(Protocol):
    """Calls functions that wait for a device, side by side. Blocks: for a thread that may. In tests: one after another."""

    def __call__(self, functions: Sequence[Callable[[], T]], /) -> list[T]:
        """What each returns, in order, when the last has returned."""


Now = Callable[[], float]
"""The wall clock: seconds since the Unix epoch. For stamps only; waiting is ``clock``'s."""


# --- disk ------------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One name in a directory."""

    name: str
    is_directory: bool
    size: int


class IFile(Interface):
    """One open file and its tracked end: appends go there, never to wherever the system thinks the end is.

    Any method may raise :class:`OSError`. Methods may be called from any thread, one at a time for those that write.
    """

    size: int = Attribute("The tracked end in bytes, which is where the next append goes.")

    def append(*chunks: bytes) -> int:
        """Write all of *chunks* at the tracked end; return the position of the first byte.

        All or nothing: after a short write or an error the file is cut back to where it was. Where even that fails the raised
        error has ``errno.EIO`` and the file is not to be written again.
        """

    def read_at(position: int, length: int) -> bytes:
        """Up to *length* bytes from *position*; fewer only at the end of the file."""

    def allocate(size: int) -> None:
        """Make sure *size* bytes of the medium belong to this file, growing it with zeros. :raises OSError: there is no room."""

    def truncate(size: int) -> None:
        """Cut the file to *size* bytes, and the tracked end with it."""

    def datasync() -> None:
        """Return when every byte appended so far is durable. A failure is final: never call it again on this file."""

    def drop_cache() -> None:
        """Sync, then forget cached pages, so that the next read sees what the medium holds."""

    def close() -> None:
        """Release the descriptor; nothing is synced."""


class IDirectory(Interface):
    """One directory. Names are single path components. Changes of names are durable only after :meth:`sync`."""

    path: str = Attribute("Where it is, for messages.")

    def child(name: str) -> "IDirectory":
        """The directory *name* below this one, which need not exist yet. No I/O."""

    def make() -> bool:
        """Create this directory if it is missing; whether it was."""

    def list() -> list[Entry]:
        """What it holds, in order of name; empty if it does not exist."""

    def open(name: str) -> IFile:
        """An existing file, tracked from its present end. :raises FileNotFoundError: there is none."""

    def create(name: str) -> IFile:
        """A new, empty file. :raises FileExistsError: there is one already."""

    def rename(old: str, new: str) -> None:
        """Give the entry *old* the name *new*, replacing a file of that name atomically."""

    def remove(name: str) -> None:
        """Remove a file. :raises FileNotFoundError: there is none."""

    def remove_directory(name: str) -> None:
        """Remove an empty directory."""

    def sync() -> None:
        """Return when every creation, renaming and removal of names in this directory is durable."""

    def free() -> tuple[int, int]:
        """Bytes free for us, and bytes in all, of the file system it lies on."""

    def lock(name: str) -> Callable[[], None]:
        """Lock the file *name*, creating it if need be; return the function that lets go.

        :raises BlockingIOError: another process holds it.
        """


# --- storage ---------------------------------------------------------------------------------------------------------


class ICheckpoint(Interface):
    """One small dictionary that outlives a crash: the old one or the new one, never a mix."""

    def load() -> dict[str, Any]:
        """What was saved last, empty if nothing ever was. :raises StorageError: it and its predecessor are damaged."""

    def save(data: dict[str, Any]) -> "Deferred[None]":
        """Fire when *data* is what :meth:`load` returns even across a power cut. Saves take effect in call order."""

    def save_now(data: dict[str, Any]) -> None:
        """The same, before returning: for start and stop, when nobody else waits for this thread."""


class ILog(Interface):
    """One partition's records: segments of record batches, offsets dense but for reported damage."""

    start_offset: int = Attribute("The first offset it still holds.")
    end_offset: int = Attribute("One past the last offset appended.")
    flushed: Watermark = Attribute("Everything below is on the medium.")
    promised: Watermark = Attribute(
        "Everything below is as durable as the fsync mode promises: flushed with 'always', appended otherwise."
    )
    size_bytes: int = Attribute("Bytes in its segments.")
    last_epoch: int = Attribute("The leader epoch of the last stretch, -1 if nothing was ever written.")
    failure: StorageError | None = Attribute("Why nothing more is written, once a sync or a write has failed for good.")
    retention_limit: Callable[[], int] = Attribute(
        "Set by the owner: retention never passes this offset (the high watermark)."
    )

    def append(batch: EncodedBatch, leader_epoch: int) -> int:
        """Write *batch* at the end, stamped with its base offset and *leader_epoch*; return the base offset.

        :raises DiskFull: nothing was kept. :raises StorageError: this log failed before and is read-only until a restart.
        :raises MessageTooLarge: no batch may be as long as this one.
        """

    def append_as_follower(data: bytes) -> int:
        """Write whole batches as their leader stamped them; return the new end. :raises StorageError: they do not go on at the end."""

    def read(offset: int, max_bytes: int, end: int) -> "Deferred[bytes]":
        """Whole batches from the one holding *offset*, none that begins at or above *end*; at least one if there is one.

        :raises OffsetOutOfRange: *offset* is below the start or above the end.
        """

    def scan(offset: int) -> "Iterator[bytes]":
        """All whole batches from the one holding *offset* on, in pieces, on this thread: for start-up, when nobody else waits."""

    def truncate(offset: int) -> "Deferred[None]":
        """Forget everything from *offset* on; fire when that is durable."""

    def move_start(offset: int) -> "Deferred[None]":
        """Forget everything below *offset*; fire when that is durable. Files go when all they hold is forgotten."""

    def flush() -> "Deferred[None]":
        """Fire when everything appended so far is durable."""

    def offset_for(timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first record at or after *timestamp_ms*, or None."""

    def end_offset_for_epoch(leader_epoch: int) -> tuple[int, int]:
        """The largest epoch not above *leader_epoch* and where it ends (Kafka's OffsetsForLeaderEpoch); (-1, -1) if there is none."""

    def begin_epoch(leader_epoch: int) -> None:
        """What is appended from now on belongs to *leader_epoch*."""


class ILogManager(Interface):
    """All logs below one data directory."""

    def open(tp: TopicPartition, config: Mapping[str, str]) -> ILog:
        """The log of *tp*, created if it is missing; opened once. *config* holds the topic's settings under Kafka's names.

        :raises StorageError: its files cannot be used.
        """

    def existing() -> Sequence[TopicPartition]:
        """The partitions whose directories are there, sorted."""

    def delete(tp: TopicPartition) -> "Deferred[None]":
        """Close the log and remove its files; fire when that is durable. Never half of it after a crash."""


# --- replication -----------------------------------------------------------------------------------------------------


class IPartition(Interface):
    """One partition as its clients see it."""

    tp: TopicPartition = Attribute("Which.")
    role: Role = Attribute("What this broker is to it.")
    leader_epoch: int = Attribute("Raised whenever leadership changes.")
    high_watermark: int = Attribute("Exclusive: consumers see what is below.")
    isr: Sequence[int] = Attribute("Ids of the replicas in sync, ascending.")
    under_replicated: bool = Attribute("This broker leads, and some replica is out of sync.")
    log_start: int = Attribute("The first offset still held.")
    log_end: int = Attribute("One past the last offset appended.")
    size_bytes: int = Attribute("Bytes in the log's segments.")
    max_message_bytes: int | None = Attribute(
        "The topic's limit on key and value of a record together; None: it has none of its own."
    )

    def append(batch: EncodedBatch, acks: Acks) -> Appended:
        """Append now, in call order, without waiting.

        :raises NotLeader: this replica follows. :raises NotEnoughReplicas: *acks* is ALL and the ISR is below ``min_isr``.
        :raises StorageError: the log refused.
        """

    def when_acknowledged(appended: Appended, acks: Acks) -> "Deferred[int] | None":
        """None if *acks* is satisfied already, else a Deferred that fires when it is.

        It fails with ReplicationTimeout (in time, or because leadership moved on meanwhile), StorageError or ShuttingDown.
        """

    def fetch(offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """What lies between *offset* and the high watermark; parked up to *max_wait_s* until *min_bytes* are there.

        :raises OffsetOutOfRange: *offset* is below the log's start or above its end.
        """

    def offset_for(timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first *visible* record at or after *timestamp_ms*, or None."""

    def report(replica: int, offset: int) -> "Deferred[None] | None":
        """*replica* holds everything up to and including *offset*. A Deferred if that changes who is in sync or what is shown.

        It fires when the change is stored, or storing it was tried.

        :raises BadRequest: this broker follows, or *replica* is not one of 1 to replication factor − 1.
        """

    def delete_records(before: int) -> "Deferred[int]":
        """Forget what is below offset *before*; fire with the log's start when that is durable.

        :raises NotLeader: this replica follows. :raises OffsetOutOfRange: *before* is above the high watermark.
        """

    def holds_keys() -> "Deferred[bool]":
        """Whether any record has a key: then more partitions would part it from its successors."""

    def explain() -> Any:
        """Why the watermark stands where it stands (:class:`flux.replication.explanation.Explanation`)."""


class IPartitions(Interface):
    """The table of partitions this broker holds."""

    def get(tp: TopicPartition) -> IPartition:
        """:raises UnknownTopic: no such topic. :raises BadRequest: the topic has no such partition."""

    def routes(topic: str) -> KeyRoutes:
        """Key → partition number, for all of a topic. :raises UnknownTopic: there is none."""


# --- groups ----------------------------------------------------------------------------------------------------------


class IAssignor(IPlugin):
    """How a topic's partitions are shared among members. Found by ``twisted.plugin`` in ``flux.plugins``."""

    name: str = Attribute("What JOIN's assignor= says.")

    def assign(members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        """Member → its partitions, ascending. Pure: *members* come sorted, every member is a key, every partition has one owner."""


class Assignment(NamedTuple):
    """What a member owns in a generation."""

    generation: int
    partitions: tuple[int, ...]


class ResetTo(NamedTuple):
    """Where GROUP_RESET sends a group. ``value`` is an offset, or Unix milliseconds; it means nothing for the two ends."""

    where: Literal["earliest", "latest", "offset", "time"]
    value: int = 0


class OffsetMove(NamedTuple):
    """One partition's committed offset before a reset (None: there was none) and after it."""

    partition: int
    before: int | None
    after: int


class Reset(NamedTuple):
    """What a reset did, or would do: the generation in force after it, and each partition's offset."""

    generation: int
    moves: tuple[OffsetMove, ...]


class IGroupCoordinator(Interface):
    """Who reads what. An answer, a refusal too, fires when all it rests on is durable. A stale generation is refused by name.

    Generations and members are counted for each group *and topic*: what happens on one topic changes nothing on another.
    Everything may fail with StorageError, and with ShuttingDown before the start and after the stop.
    """

    def join(
        group: str, topic: str, member: str, assignor: str | None, session_ms: int | None
    ) -> "Deferred[Assignment]":
        """Become, or stay, a member. :raises BadRequest: a name, the session or the assignor. :raises Throttled: a limit."""

    def sync(group: str, topic: str, member: str, generation: int) -> "Deferred[Assignment]":
        """What *member* owns. :raises GenerationMismatch: says which of group, topic, member, generation is wrong."""

    def heartbeat(group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """A sign of life. :raises GenerationMismatch: as :meth:`sync`."""

    def leave(group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """Go; the rest share. :raises GenerationMismatch: as :meth:`sync`."""

    def commit(group: str, topic: str, member: str, generation: int, partition: int, offset: int) -> "Deferred[None]":
        """The next offset to read. :raises GenerationMismatch: as :meth:`sync`, or the member does not own *partition*."""

    def committed(group: str, topic: str, partition: int) -> "Deferred[int | None]":
        """The offset committed last, None if none ever was."""

    def groups() -> "Deferred[Sequence[Mapping[str, Any]]]":
        """GROUP_LIST: group, state, members, topics of each, by name; values as JSON has them."""

    def describe(group: str) -> "Deferred[Mapping[str, Any]]":
        """GROUP_DESCRIBE: members, assignments and lag, as JSON has them. :raises BadRequest: there is no such group."""

    def explain(group: str) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """EXPLAIN_GROUP: the last changes of generation, oldest first, as JSON has them. :raises BadRequest: there is no such group."""

    def reset(group: str, topic: str, to: ResetTo, dry_run: bool) -> "Deferred[Reset]":
        """Move every committed offset of *group* on *topic*; a live group is fenced. :raises BadRequest: the group is not there."""


# --- cluster ---------------------------------------------------------------------------------------------------------


class IMetadataObserver(Interface):
    """Whoever acts on what exists."""

    def metadata_changed(image: Any) -> None:
        """*image* (:class:`flux.cluster.image.Image`) is stored and in force."""


class IMetadataStore(Interface):
    """Where the image is kept, by compare-and-set. A file today, etcd for several brokers."""

    def load() -> Any:
        """The image in force, an empty one if there never was any."""

    def commit(image: Any, expected_version: int) -> "Deferred[Any]":
        """Store *image* as the successor of *expected_version*; fire with it as stored. :raises StaleVersion: somebody was faster."""

    def commit_now(image: Any, expected_version: int) -> Any:
        """The same before returning, for the start."""


class IController(Interface):
    """What exists and who leads. Every change is stored before it is seen."""

    image: Any = Attribute("The flux.cluster.image.Image in force.")

    def create_topic(name: str, partitions: int, replication_factor: int, config: Mapping[str, str]) -> "Deferred[Any]":
        """Fire when the topic exists and is led. The same shape again: the same answer. :raises TopicExists: another shape."""

    def create_on_first_use(name: str) -> "Deferred[Any]":
        """The topic, created with the defaults if missing. :raises UnknownTopic: auto-creation is off. :raises BadRequest: the name."""

    def alter_topic(name: str, config: Mapping[str, str], partitions: int | None) -> "Deferred[Any]":
        """Settings over those it has, and more partitions. :raises BadRequest: names the setting, or the count it has."""

    def delete_topic(name: str) -> "Deferred[Any]":
        """Fire with the image that first lacked the topic, once its files are gone too. :raises UnknownTopic: there is none."""

    def topic_removed(topic_id: str, problem: str | None) -> "Deferred[Any]":
        """The files of a deleted topic are gone; or *problem* says why they cannot be, until a restart tries again."""

    def register_broker(broker_id: int, host: str, port: int, epoch: int | None) -> "Deferred[Any]":
        """A broker, which leads nothing new until it is heard. :raises BadRequest: a later incarnation is registered."""

    def broker_heartbeat(broker_id: int) -> "Deferred[Any]":
        """A sign of life; changes the image only if it was not known to be alive. :raises BadRequest: it is not registered."""

    def fence(broker_id: int) -> "Deferred[Any]":
        """Let a broker lead nothing until :meth:`unfence`. :raises BadRequest: it is not registered."""

    def unfence(broker_id: int) -> "Deferred[Any]":
        """Let a broker lead again. :raises BadRequest: it is not registered."""

    def reconcile_brokers(timeout_s: float) -> "Deferred[int]":
        """Fence whoever was silent for *timeout_s*, lift the fence of whoever was not; fire with the number of changes."""

    def set_leader(tp: TopicPartition, leader: int, isr: Sequence[int]) -> "Deferred[Any]":
        """An operator's word. :raises BadRequest: *leader* cannot lead, or *isr* does not fit."""

    def set_role(tp: TopicPartition, role: Role) -> "Deferred[Any]":
        """An operator's word about this broker: lead *tp*, or follow until told otherwise."""

    def elect_leaders(name: str) -> "Deferred[int]":
        """Let preferred replicas lead where they are in sync; fire with the number of changes."""

    def alter_isr(tp: TopicPartition, leader_epoch: int, isr: Sequence[int]) -> "Deferred[Any]":
        """The leader of *leader_epoch* says who is in sync. :raises NotLeader: another epoch began."""

    def history(tp: TopicPartition) -> Sequence[Any]:
        """The last leadership changes (:class:`flux.cluster.history.LeadershipChange`), oldest first."""

    def watch(observer: IMetadataObserver) -> None:
        """Tell *observer* the image now and after every change."""


# --- commands --------------------------------------------------------------------------------------------------------


class ISession(Interface):
    """Who speaks on a connection."""

    peer: str = Attribute("Address, for logs.")
    principal: str | None = Attribute("Who it is, once authenticated.")
    client_id: str | None = Attribute("What HELLO said it is.")


class IBroker(Interface):
    """All that a command family ever sees: references, no behaviour."""

    clock: IReactorTime = Attribute("Time.")
    now: Now = Attribute("Wall time, for stamps.")
    config: Config = Attribute("Settings in force.")
    partitions: IPartitions = Attribute("The partitions held here.")
    groups: IGroupCoordinator = Attribute("The consumer groups.")
    controller: IController = Attribute("Topics, brokers, leaders.")
    commands: Mapping[str, Any] = Attribute("Command name → request class (see flux.wire.v1), third-party ones too.")


class Replies(Protocol):
    """The answers to a run, or to some of its requests."""

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        """Whole answer lines, LF included, one for each id and in that order."""


class Pending(NamedTuple):
    """What a run's handler returns when some answers are still to come.

    ``waits``: Deferreds that do not fail, each with the positions whose answers it decides. ``replies`` makes the answers to the
    requests at the positions it is given; it is asked once for each, when all waits of that position have fired.
    """

    waits: Sequence[tuple["Deferred[Any]", Sequence[int]]]
    replies: Callable[[Sequence[int]], Replies]


class ICommandFamily(IPlugin):
    """A family of commands. Found by ``twisted.plugin`` in ``flux.plugins``; importing it does nothing."""

    name: str = Attribute("What the log calls it.")

    def bind(broker: IBroker) -> Mapping[type, Callable[..., Any]]:
        """Request class → handler, once per broker.

        A class with ``decode(arguments)`` (see :class:`flux.wire.v1.Request`) is bound to a plain handler
        ``(request, session) -> Reply``, an ``async def`` or a plain function. A class with ``decode_run(arguments)``
        (:class:`flux.wire.v1.Run`) is bound to a run handler ``(run, session) -> Replies | Pending | Deferred[Replies]``. A run
        holds what all connections of one principal asked of that command in one reactor turn, each connection's requests in
        order; *session* is that of one of them.

        A request may say ``wait_s``, which its deadline is moved by, and ``overtakable``: what is behind it need not wait for it. A
        class of runs may say ``OVERLAPS``: a run may start while those of the same command before it are still being answered.
        """


# --- alerts ----------------------------------------------------------------------------------------------------------


class AlertReceiver(Protocol):
    """Is told of alerts, oldest first, some at a time. The next are told when the Deferred has fired, if one is returned.

    Called on the reactor's thread, so it must not block; never from within a request. What it raises is logged.
    """

    def __call__(self, alerts: Sequence[Alert], dropped: int) -> "Deferred[Any] | None":
        """*dropped* alerts were lost since the last call, because this receiver was too slow."""


class IAlertHook(IPlugin):
    """Something that tells people. Found by ``twisted.plugin`` in ``flux.plugins``; importing it does nothing."""

    name: str = Attribute("What the log calls it.")

    def bind(broker: IBroker) -> "AlertReceiver | None":
        """Once per broker, at its start, before its groups are there: who is to be told; None if it is switched off."""
