"""A partition of three replicas through anything that may happen to it, against what was promised about it."""

import errno

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.config import ReplicationConfig
from flux.errors import FluxError, NotEnoughReplicas, NotLeader
from flux.model import Acks, Appended, FsyncMode, Role
from flux.replication.partition import Partition
from flux.testing import QueuedThread
from tests.replication.scene import TP, Broker, turn, visible_records


class PartitionMachine(RuleBasedStateMachine):
    """Appends, reports (late, repeated, out of order, too high), clock steps, roles, a failing metadata store, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.appended = 0  # values are numbers: no two appends are alike, so a changed record shows
        self.ends = {1: 0, 2: 0}  # what each follower truly holds
        self.committed: dict[int, bytes | None] = {}  # what a consumer could see below committed_end
        self.committed_end = 0
        self.epoch = -1
        self.watermark = 0
        self.waiting: list[tuple[Appended, Acks, Deferred[int]]] = []

    @initialize(mode=st.sampled_from(FsyncMode), min_isr=st.integers(1, 3), max_lag=st.integers(0, 8))
    def start(self, mode: FsyncMode, min_isr: int, max_lag: int) -> None:
        replication = ReplicationConfig(min_isr=min_isr, replica_max_lag=max_lag)
        # Queued, so that anything may happen while a change is being stored.
        self.broker = Broker(
            mode=mode, replication=replication, metadata_thread=QueuedThread(), watermark_thread=QueuedThread()
        ).start()
        self.broker.controller.create_topic("orders", 1, 3, {})
        self.store()

    @property
    def metadata(self) -> QueuedThread:
        """The thread that stores the metadata in this life."""
        assert isinstance(self.broker.metadata_thread, QueuedThread)
        return self.broker.metadata_thread

    @property
    def watermarks(self) -> QueuedThread:
        """The thread that stores the watermarks in this life."""
        assert isinstance(self.broker.watermark_thread, QueuedThread)
        return self.broker.watermark_thread

    @property
    def partition(self) -> Partition:
        return self.broker.partition()

    @rule(count=st.integers(1, 4), acks=st.sampled_from(Acks), at_once=st.booleans())
    def append(self, count: int, acks: Acks, at_once: bool) -> None:
        partition = self.partition
        values = [str(self.appended + number).encode() for number in range(count)]
        self.appended += count
        below, before = len(partition.isr) < partition.explain().min_isr, partition.high_watermark
        try:
            appended = partition.append(encode([b"k"] * count, values, 0), acks)
        except NotLeader:
            assert partition.role is Role.FOLLOWER
            return
        except NotEnoughReplicas:
            assert acks is Acks.ALL and len(partition.isr) < partition.explain().min_isr
            return
        assert not below or partition.high_watermark == before, partition.explain()
        waiting = partition.when_acknowledged(appended, acks)
        if waiting is not None:
            self.waiting.append((appended, acks, waiting))
        elif acks is Acks.ALL:
            assert partition.high_watermark >= appended.end_offset
        if not at_once:
            turn(self.broker.clock)

    @rule(replica=st.integers(1, 2), offset=st.integers(-1, 60))
    def report(self, replica: int, offset: int) -> None:
        """From nothing to far beyond the log's end."""
        if self.partition.role is Role.LEADER:
            self.ends[replica] = max(self.ends[replica], min(offset + 1, self.partition.log_end))
            below = len(self.partition.isr) < self.partition.explain().min_isr
            before = self.partition.high_watermark
            self.partition.report(replica, offset)
            assert not below or self.partition.high_watermark == before, self.partition.explain()
            turn(self.broker.clock)

    @rule(replica=st.integers(1, 2), missing=st.integers(0, 4))
    def catch_up(self, replica: int, missing: int) -> None:
        self.report(replica, max(self.partition.log_end - 1 - missing, -1))

    @rule(replica=st.integers(1, 2), stored=st.booleans())
    def fall_silent(self, replica: int, stored: bool) -> None:
        """The others go on without it, for long enough."""
        for _ in range(11):
            self.broker.clock.pump([0.5, 0.5])
            self.catch_up(3 - replica, 0)
            if stored:
                self.store()

    @rule(replica=st.integers(1, 2), missing=st.integers(0, 4), count=st.integers(1, 3), refused=st.booleans())
    def come_back(self, replica: int, missing: int, count: int, refused: bool) -> None:
        """After a silence, perhaps not all the way; while that is being stored, or refused, the others go on."""
        self.fall_silent(replica, True)
        if refused:
            self.the_metadata_cannot_be_stored()
        self.append(count, Acks.LEADER, False)
        self.catch_up(3 - replica, 0)
        self.catch_up(replica, missing)
        self.append(count, Acks.LEADER, False)
        self.catch_up(3 - replica, 0)
        self.store()

    @rule(without=st.integers(0, 2))
    def all_is_well(self, without: int) -> None:
        """With a disk that works and followers that follow, but one perhaps, all is committed, whatever was before."""
        self.broker.disk.heal()
        for _ in range(24 if without else 4):
            self.broker.clock.pump([0.5])
            for replica in {1, 2} - {without}:
                self.catch_up(replica, 0)
            self.store()
        if self.partition.role is Role.LEADER:
            explanation = self.partition.explain()
            assert explanation.isr == tuple(replica for replica in range(3) if replica != without or not without), (
                explanation
            )
            if len(explanation.isr) >= explanation.min_isr:
                assert explanation.high_watermark == explanation.log_end, explanation

    @rule()
    def store(self) -> None:
        """The metadata's disk gets its turn, and the watermarks'."""
        self.metadata.perform_all()
        self.remember()

    @rule()
    def remember(self) -> None:
        """The watermarks' disk gets its turn; what rises meanwhile, the next."""
        for _ in range(3):
            turn(self.broker.clock)
            self.watermarks.perform_all()
        turn(self.broker.clock)

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.9, 2.0, 9.5, 10.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.broker.clock.pump([0.25] * int(seconds / 0.25) + [seconds % 0.25])

    @rule(role=st.sampled_from(Role), stored=st.booleans())
    def change_role(self, role: Role, stored: bool) -> None:
        """As an operator who waits for the answer, or does not."""
        self.broker.controller.set_role(TP, role).addErrback(lambda failure: failure.trap(FluxError))
        if stored:
            self.store()

    @rule(count=st.integers(1, 3))
    def lose_the_lead_while_others_wait(self, count: int) -> None:
        self.append(count, Acks.ALL, False)
        self.append(count, Acks.LEADER, True)
        self.change_role(Role.FOLLOWER, True)

    @rule()
    def the_metadata_cannot_be_stored(self) -> None:
        self.broker.disk.fail(errno.ENOSPC, "append", times=None, where=lambda path: "metadata.json" in path)

    @rule()
    def the_watermarks_cannot_be_stored(self) -> None:
        self.broker.disk.fail(errno.ENOSPC, "append", times=None, where=lambda path: "high-watermarks" in path)

    @rule()
    def the_disk_is_well_again(self) -> None:
        self.broker.disk.heal()

    @rule()
    def restart(self) -> None:
        self.broker.disk.heal()
        self.metadata.perform_all()
        self.watermarks.perform_all()
        self.broker.stop()
        self.forget_waiters()
        self.broker.start()
        turn(self.broker.clock)

    @rule()
    def kill(self) -> None:
        self.broker.disk.heal()
        self.die()
        self.broker.kill()
        turn(self.broker.clock)

    @precondition(lambda self: self.broker.mode is FsyncMode.ALWAYS)
    @rule()
    def cut(self) -> None:
        """The power goes: what no follower and no disk was known to hold may be gone, and nothing else."""
        self.broker.disk.heal()
        self.die()
        self.broker.cut()
        turn(self.broker.clock)

    def die(self) -> None:
        """The process ends: what it was about to store is not."""
        self.forget_waiters()
        self.broker.metadata_thread, self.broker.watermark_thread = QueuedThread(), QueuedThread()

    def forget_waiters(self) -> None:
        """The process that made them is no more."""
        for _, _, waiting in self.waiting:
            waiting.addErrback(lambda failure: failure.trap(FluxError))
        self.waiting = []

    @invariant()
    def no_in_sync_replica_is_below_the_watermark(self) -> None:
        """Neither of the ISR as the leader sees it, nor of the ISR as it is stored: any of these may be elected."""
        stored = self.broker.controller.image.topics["orders"].partitions[0].isr
        for replica in {*self.partition.isr, *stored}:
            end = self.partition.log_end if replica == 0 else self.ends[replica]
            assert self.partition.high_watermark <= end, (replica, end, self.partition.explain())

    @invariant()
    def the_watermark_never_falls(self) -> None:
        assert self.partition.high_watermark >= self.watermark, self.partition.explain()
        self.watermark = self.partition.high_watermark

    @invariant()
    def the_epoch_never_falls(self) -> None:
        assert self.partition.leader_epoch >= self.epoch
        self.epoch = self.partition.leader_epoch

    @invariant()
    def committed_records_never_change(self) -> None:
        """Nor do gaps: a torn tail's offsets are not used again."""
        seen = visible_records(self.partition)
        before, self.committed_end = self.committed_end, self.partition.high_watermark
        assert {offset: value for offset, value in seen.items() if offset < before} == self.committed
        self.committed = seen

    @invariant()
    def what_is_acknowledged_is_so(self) -> None:
        """By all means committed; in its own epoch, or not at all."""
        undecided = []
        for appended, acks, waiting in self.waiting:
            if not waiting.called:
                assert appended.leader_epoch == self.partition.leader_epoch
                undecided.append((appended, acks, waiting))
                continue
            acknowledged: list[int] = []
            waiting.addCallbacks(acknowledged.append, lambda failure: failure.trap(FluxError) and None)
            if acknowledged and acks is Acks.ALL:
                assert self.partition.high_watermark >= appended.end_offset
        self.waiting = undecided

    def teardown(self) -> None:
        self.forget_waiters()


class PartitionMachineTests(SynchronousTestCase):
    """The machine, run."""

    def test_what_is_promised_about_a_partition_holds(self) -> None:
        """Watermark ≤ every in-sync replica's end, never falling; epochs never falling; committed records never changing."""
        run_state_machine_as_test(
            PartitionMachine,
            settings=settings(
                max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
