"""One partition: role, epoch, append with acks, fetch up to the watermark."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.batch import EncodedBatch
from flux.errors import BadRequest, FluxError, NotEnoughReplicas, NotLeader, OffsetOutOfRange, ReplicationTimeout
from flux.interfaces import ILog, IPartition
from flux.model import Acks, Appended, Fetched, Role, TopicPartition
from flux.replication.explanation import Explanation, why
from flux.replication.isr import Limits, ReplicaProgress
from flux.replication.leadership import Leadership, ProposeISR
from flux.watermark import Watermark

_NEVER = 1 << 63  # an offset no log reaches: who waits for it hears of failure only
_REREAD_S = 0.01  # a fetch short of min_bytes reads again at most this often: a read per append would be quadratic


@implementer(IPartition)
class Partition:
    """A log with a role.

    *Action*: :meth:`append`, :meth:`fetch`, :meth:`report`. *Transitions*: :meth:`lead` and :meth:`follow`, each by a leader epoch
    that never falls; :meth:`close` is final. The high watermark outlives every role.
    """

    def __init__(
        self,
        tp: TopicPartition,
        log: ILog,
        clock: IReactorTime,
        limits: Limits,
        *,
        ack_all_timeout_s: float,
        high_watermark: int,
        propose_isr: ProposeISR,
    ) -> None:
        self.tp = tp
        self.log = log
        self.leader_epoch = -1
        self._limits = limits
        self._clock = clock
        self._ack_all_timeout_s = ack_all_timeout_s
        self._propose_isr = propose_isr
        self._leadership: Leadership | None = None
        self._refusal: FluxError = NotLeader(f"{tp} has no leader yet")
        self._visible = Watermark(max(log.start_offset, min(high_watermark, log.end_offset)))
        self._no_waiting: FluxError | None = None  # why nobody may be parked any more
        log.promised.observe(self._promise_rose)
        log.promised.reach(_NEVER).addErrback(self._promise_failed)

    # --- what clients see ---

    @property
    def role(self) -> Role:
        """What this broker is to it."""
        return Role.FOLLOWER if self._leadership is None else Role.LEADER

    @property
    def high_watermark(self) -> int:
        """Exclusive: consumers see what is below."""
        return self._visible.value

    @property
    def isr(self) -> Sequence[int]:
        """Replicas in sync as stored, ascending; empty while this broker follows."""
        return () if self._leadership is None else self._leadership.progress.isr

    @property
    def under_replicated(self) -> bool:
        """This broker leads, and some replica is out of sync."""
        return self._leadership is not None and self._leadership.progress.under_replicated

    @property
    def replicated(self) -> bool:
        """This broker leads, and others hold replicas."""
        return self._leadership is not None and self._leadership.progress.replicas > 1

    @property
    def log_start(self) -> int:
        """The first offset still held."""
        return self.log.start_offset

    @property
    def log_end(self) -> int:
        """One past the last offset appended."""
        return self.log.end_offset

    def append(self, batch: EncodedBatch, acks: Acks) -> Appended:
        """Append now, in call order, without waiting.

        :raises NotLeader: this replica follows. :raises NotEnoughReplicas: *acks* is ALL and the ISR is below ``min_isr``.
        :raises StorageError: the log refused.
        """
        leadership = self._leadership
        if leadership is None:
            raise self._refusal
        progress = leadership.progress
        if acks is Acks.ALL and len(progress.isr) < progress.min_isr:
            raise NotEnoughReplicas(
                f"{self.tp}: acks=all needs {progress.min_isr} replicas in sync, and there are {len(progress.isr)};"
                " nothing was appended"
            )
        if not leadership.begun:
            self.log.begin_epoch(leadership.epoch)
            leadership.begun = True
        base_offset = self.log.append(batch, leadership.epoch)
        return Appended(self.tp.partition, base_offset, self.log.end_offset, leadership.epoch)

    def when_acknowledged(self, appended: Appended, acks: Acks) -> "Deferred[int] | None":
        """None if *acks* is satisfied already, else a Deferred that fires when it is."""
        if acks is Acks.NONE:
            return None
        leadership = self._leadership
        if leadership is None or leadership.epoch != appended.leader_epoch:
            return fail(self._deposed(appended.leader_epoch))
        watermark = leadership.committed if acks is Acks.ALL else leadership.promised
        if watermark.value >= appended.end_offset:
            return None
        waiter = watermark.reach(appended.end_offset)
        if acks is Acks.ALL:
            waiter.addTimeout(self._ack_all_timeout_s, self._clock, self._unconfirmed(appended))
        return waiter

    def fetch(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """What lies between *offset* and the watermark; parked up to *max_wait_s* until *min_bytes* are there."""
        log, visible = self.log, self._visible.value
        if not log.start_offset <= offset <= log.end_offset:
            return fail(
                OffsetOutOfRange(
                    f"{self.tp}: offset {offset} is outside the log, which starts at {log.start_offset}"
                    f" and ends at {log.end_offset}"
                )
            )
        if offset < visible and (min_bytes <= 1 or max_wait_s <= 0):
            return log.read(offset, max_bytes, visible).addCallback(self._fetched, offset, visible)
        if max_wait_s <= 0:
            return succeed(Fetched(offset, b"", visible, log.start_offset))
        return Deferred.fromCoroutine(self._fetch_when_there(offset, max_bytes, max_wait_s, min(min_bytes, max_bytes)))

    def offset_for(self, timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first visible record at or after *timestamp_ms*, or None."""
        return self.log.offset_for(timestamp_ms).addCallback(
            lambda found: None if found is None or found[0] >= self._visible.value else found
        )

    def watch_high_watermark(self, observer: Callable[[int], None]) -> None:
        """Call *observer* with the high watermark at every rise. It must not raise."""
        self._visible.observe(observer)

    def release_waits(self, reason: FluxError) -> None:
        """Fail every parked fetch with *reason*, and park none from now on."""
        self._no_waiting = reason
        self._visible.release(reason)

    # --- roles ---

    def lead(self, leader_epoch: int, replicas: int, isr: tuple[int, ...]) -> None:
        """Lead *replicas* in *leader_epoch*; *isr* is what the metadata says."""
        leadership = self._leadership
        if leadership is not None and leadership.epoch == leader_epoch:
            leadership.stored(isr)
            return
        self._change_epoch(leader_epoch, NotLeader(f"{self.tp}: epoch {leader_epoch} began"))
        progress = ReplicaProgress(
            replicas,
            isr,
            self._limits,
            high_watermark=self._visible.value,
            log_end=self.log.end_offset,
            now=self._clock.seconds(),
        )
        self._leadership = Leadership(self.tp, leader_epoch, progress, self._visible, self._propose_isr)
        self._leadership.promise(self.log.promised.value)

    def follow(self, leader_epoch: int, leader: str) -> None:
        """Follow in *leader_epoch*. *leader* says who leads, as a sentence goes on: ``is led by broker 1``."""
        self._refusal = NotLeader(f"{self.tp} {leader}, epoch {leader_epoch}; this broker only follows")
        self._change_epoch(leader_epoch, self._refusal)

    def close(self, reason: FluxError) -> None:
        """The partition is gone: whatever waits fails with *reason*, and so does whoever comes."""
        self._refusal = self._no_waiting = reason
        self._change_epoch(self.leader_epoch, reason)
        self._visible.fail(reason)

    def limit(self, limits: Limits) -> None:
        """Other *limits* hold from now on."""
        self._limits = limits
        if self._leadership is not None:
            self._leadership.progress.limits = limits
            self._leadership.stored(self._leadership.progress.isr)

    # --- replicas ---

    def report(self, replica: int, offset: int) -> "Deferred[None] | None":
        """*replica* holds everything up to and including *offset*. A Deferred if that changes the ISR: it fires when that is stored.

        :raises BadRequest: this broker follows, or no such replica reports to it.
        """
        leadership = self._leadership
        if leadership is None:
            raise BadRequest(f"{self.tp}: this broker is a follower of it, and replicas report to the leader")
        followers = leadership.progress.replicas - 1
        if not 1 <= replica <= followers:
            valid = f"1 to {followers}" if followers else "none, its replication factor is 1"
            raise BadRequest(f"replica id: {replica} is no follower of {self.tp}; valid ids: {valid}")
        if offset < -1:
            raise BadRequest(f"offset: {offset} is below -1, which says that nothing is held")
        leadership.report(replica, offset + 1, self.log.end_offset, self._clock.seconds())
        return self.judge()

    def judge(self) -> "Deferred[None] | None":
        """Look who is in sync by now. A Deferred if that is not what is stored: it fires when storing it was tried."""
        if self._leadership is None:
            return None
        return self._leadership.judge(self.log.end_offset, self._clock.seconds())

    def explain(self) -> Explanation:
        """Why the watermark stands where it stands."""
        log, visible, leadership = self.log, self._visible.value, self._leadership
        if leadership is None:
            isr, min_isr, replicas, sentence = (), self._limits.min_isr, [], str(self._refusal)
        else:
            isr, min_isr = leadership.progress.isr, leadership.progress.min_isr
            replicas = leadership.progress.standings(log.end_offset, self._clock.seconds())
            sentence = why(visible, log.end_offset, isr, min_isr, replicas)
        return Explanation(
            self.role, self.leader_epoch, visible, log.start_offset, log.end_offset, log.promised.value, min_isr, isr, replicas, sentence
        )

    # --- inside ---

    def _change_epoch(self, leader_epoch: int, reason: FluxError) -> None:
        assert leader_epoch >= self.leader_epoch, f"{self.tp}: epoch {leader_epoch} after {self.leader_epoch}"
        self.leader_epoch = leader_epoch
        leadership, self._leadership = self._leadership, None
        if leadership is not None:
            leadership.end(reason)

    def _deposed(self, leader_epoch: int) -> FluxError:
        return NotLeader(f"{self.tp}: epoch {leader_epoch} ended before the append was confirmed; whether it stays is unknown")

    def _promise_rose(self, end_offset: int) -> None:
        if self._leadership is not None:
            self._leadership.promise(end_offset)

    def _promise_failed(self, failure: Failure) -> None:
        if self._leadership is not None:
            self._leadership.end(failure.value)

    def _unconfirmed(self, appended: Appended) -> Callable[[object, float], int]:
        def give_up(_result: object, timeout_s: float) -> int:
            raise ReplicationTimeout(
                f"partition {self.tp}, offset {appended.base_offset}: appended, not yet confirmed after {timeout_s:g} s;"
                f" the high watermark stands at {self._visible.value}, in sync are {list(self.isr)}"
            )

        return give_up

    def _fetched(self, data: bytes, offset: int, visible: int) -> Fetched:
        return Fetched(offset, data, visible, self.log.start_offset)

    async def _fetch_when_there(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> Fetched:
        deadline = self._clock.seconds() + max_wait_s
        data, short = b"", -1
        while True:
            visible = self._visible.value
            if offset < visible:
                data = await self.log.read(offset, max_bytes, visible)
            left = deadline - self._clock.seconds()
            # A read that a longer log did not make longer stopped for the log's own reasons: waiting would not help.
            if len(data) >= max(min_bytes, 1) or left <= 0 or len(data) == short:
                return self._fetched(data, offset, visible)
            short = len(data) or -1
            try:
                await self._rise_above(max(visible, offset)).addTimeout(left, self._clock)
            except DeferredTimeout:
                return self._fetched(data, offset, self._visible.value)
            if min_bytes > 1:
                await deferLater(self._clock, min(_REREAD_S, left))

    def _rise_above(self, offset: int) -> "Deferred[int]":
        return fail(self._no_waiting) if self._no_waiting is not None else self._visible.reach(offset + 1)
