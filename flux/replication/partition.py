"""One partition: role, epoch, append with acks, fetch up to the watermark."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.batch import EncodedBatch
from flux.errors import (
    BadRequest,
    FluxError,
    NotEnoughReplicas,
    NotLeader,
    OffsetOutOfRange,
    ReplicationTimeout,
)
from flux.interfaces import ILog, IPartition
from flux.model import Acks, Appended, Fetched, Role, TopicPartition
from flux.replication.explanation import Explanation, why
from flux.replication.isr import Limits, ReplicaProgress
from flux.replication.keys import holds_keys
from flux.replication.leadership import Leadership, ProposeISR, Remember
from flux.replication.truncation import truncate_to_leader
from flux.replication.visible import VisibleLog

_NEVER = 1 << 63  # an offset no log reaches: who waits for it hears of failure only


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
        remember: Remember,
    ) -> None:
        self.tp = tp
        self.log = log
        self.leader_epoch = -1
        self.max_message_bytes: int | None = None
        self._limits = limits
        self._clock = clock
        self._ack_all_timeout_s = ack_all_timeout_s
        self._propose_isr = propose_isr
        self._remember = remember
        self._leadership: Leadership | None = None
        self._refusal: FluxError = NotLeader(f"{tp} has no leader yet")
        self._visible = VisibleLog(tp, log, clock, high_watermark)
        log.retention_limit = lambda: self._visible.watermark.value
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
        return self._visible.watermark.value

    @property
    def committed(self) -> int:
        """Exclusive: the replicas in sync hold what is below. Consumers see it as soon as it is remembered."""
        return self.high_watermark if self._leadership is None else self._leadership.progress.high_watermark

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

    @property
    def size_bytes(self) -> int:
        """Bytes in the log's segments."""
        return self.log.size_bytes

    def append(self, batch: EncodedBatch, acks: Acks) -> Appended:
        """Append now, in call order, without waiting.

        :raises NotLeader: this replica follows. :raises NotEnoughReplicas: *acks* is ALL and the ISR is below ``min_isr``.
        :raises StorageError: the log refused.
        """
        leadership = self._must_lead()
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
            return fail(self._unconfirmed(appended.leader_epoch))
        return leadership.acknowledged(appended, acks)

    def fetch(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """What lies between *offset* and the watermark; parked up to *max_wait_s* until *min_bytes* are there."""
        return self._visible.fetch(offset, max_bytes, max_wait_s, min_bytes)

    def offset_for(self, timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first visible record at or after *timestamp_ms*, or None."""
        return self._visible.offset_for(timestamp_ms)

    def release_waits(self, reason: FluxError) -> None:
        """Fail every parked fetch with *reason*, and park none from now on."""
        self._visible.release(reason)

    # --- roles ---

    def lead(self, leader_epoch: int, replicas: int, isr: tuple[int, ...]) -> None:
        """Lead *replicas* in *leader_epoch*; *isr* is what the metadata says."""
        leadership = self._leadership
        if leadership is not None and leadership.epoch == leader_epoch:
            leadership.stored(isr)
            return
        self._change_epoch(leader_epoch, self._unconfirmed(self.leader_epoch))
        progress = ReplicaProgress(
            replicas,
            isr,
            self._limits,
            high_watermark=self._visible.watermark.value,
            log_end=self.log.end_offset,
            now=self._clock.seconds(),
        )
        self._leadership = Leadership(
            self.tp,
            leader_epoch,
            progress,
            self._visible.watermark,
            self._clock,
            self._ack_all_timeout_s,
            self._propose_isr,
            # Alone, a restarted leader knows the watermark from its log. With others it would have to wait for them.
            self._remember if replicas > 1 else _known_from_the_log,
        )
        self._leadership.promise(self.log.promised.value)
        if self.log.failure is not None:
            self._leadership.end(self.log.failure)

    def follow(self, leader_epoch: int, leader: str) -> None:
        """Follow in *leader_epoch*. *leader* says who leads, as a sentence goes on: ``is led by broker 1``."""
        self._refusal = NotLeader(f"{self.tp} {leader}, epoch {leader_epoch}; this broker only follows")
        self._change_epoch(leader_epoch, self._unconfirmed(self.leader_epoch))

    def close(self, reason: FluxError) -> None:
        """The partition is gone: whatever waits fails with *reason*, and so does whoever comes."""
        self._refusal = reason
        self._change_epoch(self.leader_epoch, reason)
        self._visible.close(reason)

    def limit(self, limits: Limits) -> None:
        """Other *limits* hold from now on."""
        self._limits = limits
        if self._leadership is not None:
            self._leadership.progress.limits = limits
            self._leadership.stored(self._leadership.progress.isr)

    # --- forgetting ---

    def delete_records(self, before: int) -> "Deferred[int]":
        """Forget what is below offset *before*; fire with the log's start when that is durable.

        :raises NotLeader: this replica follows. :raises OffsetOutOfRange: *before* is above the high watermark.
        """
        return Deferred.fromCoroutine(self._delete_records(before))

    async def _delete_records(self, before: int) -> int:
        self._must_lead()
        if before > self.high_watermark:
            raise OffsetOutOfRange(
                f"{self.tp}: offset {before} is above the high watermark {self.high_watermark};"
                " only committed records can be deleted"
            )
        await self.log.move_start(before)
        return self.log.start_offset

    def truncate_to_leader(self, leader_epoch: int, end_offset: int) -> "Deferred[bool]":
        """See :func:`flux.replication.truncation.truncate_to_leader`; only while following."""
        assert self._leadership is None, f"{self.tp}: a leader does not truncate"
        return Deferred.fromCoroutine(
            truncate_to_leader(self.tp, self.log, self.high_watermark, leader_epoch, end_offset)
        )

    def holds_keys(self) -> "Deferred[bool]":
        """Whether any record has a key, so that more partitions would part it from its successors."""
        return Deferred.fromCoroutine(holds_keys(self.log))

    # --- replicas ---

    def report(self, replica: int, offset: int) -> "Deferred[None] | None":
        """*replica* holds everything up to and including *offset*. A Deferred if that changes who is in sync or what is shown.

        It fires when the change is stored, or storing it was tried.

        :raises BadRequest: this broker follows, or no such replica reports to it.
        """
        leadership = self._leadership
        if leadership is None:
            raise BadRequest(f"{self.tp}: this broker is a follower of it, and replicas report to the leader")
        return leadership.report(replica, offset, self.log.end_offset, self._clock.seconds())

    def judge(self) -> "Deferred[None] | None":
        """Look who is in sync by now. A Deferred if that is not what is stored: it fires when storing it was tried."""
        if self._leadership is None:
            return None
        return self._leadership.judge(self.log.end_offset, self._clock.seconds())

    def explain(self) -> Explanation:
        """Why the watermark stands where it stands."""
        log, visible, leadership = self.log, self._visible.watermark.value, self._leadership
        if leadership is None:
            min_isr, replicas = self._limits.min_isr, []
            sentence = str(self._refusal) if log.failure is None else f"{self._refusal}; {log.failure}"
        else:
            min_isr = leadership.progress.min_isr
            replicas = leadership.progress.standings(log.end_offset, self._clock.seconds())
            sentence = why(visible, self.committed, log.end_offset, self.isr, min_isr, replicas, log.failure)
        return Explanation(
            self.role,
            self.leader_epoch,
            visible,
            log.start_offset,
            log.end_offset,
            log.promised.value,
            min_isr,
            tuple(self.isr),
            replicas,
            sentence,
        )

    # --- inside ---

    def _unconfirmed(self, leader_epoch: int) -> ReplicationTimeout:
        """What waiters of an ended epoch are told. Not NotLeader: that promises that nothing was appended, and is tried again elsewhere."""
        return ReplicationTimeout(
            f"partition {self.tp}: appended in epoch {leader_epoch}, which ended before that was confirmed; whether it stays is unknown"
        )

    def _must_lead(self) -> Leadership:
        if self._leadership is None:
            # One instance, raised often: it would collect every raiser's frames.
            raise self._refusal.with_traceback(None)
        return self._leadership

    def _change_epoch(self, leader_epoch: int, reason: FluxError) -> None:
        assert leader_epoch >= self.leader_epoch, f"{self.tp}: epoch {leader_epoch} after {self.leader_epoch}"
        self.leader_epoch = leader_epoch
        leadership, self._leadership = self._leadership, None
        if leadership is not None:
            leadership.end(reason)

    def _promise_rose(self, end_offset: int) -> None:
        if self._leadership is not None:
            self._leadership.promise(end_offset)

    def _promise_failed(self, failure: Failure) -> None:
        if self._leadership is not None:
            assert failure.value is not None  # a Watermark fails with an exception
            self._leadership.end(failure.value)


def _known_from_the_log(_high_watermark: int) -> None:
    """A :data:`~flux.replication.leadership.Remember` with nothing to do."""
