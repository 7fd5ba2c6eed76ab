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

from flux.batch import decode, encode
from flux.config import ReplicationConfig
from flux.errors import FluxError, NotEnoughReplicas, NotLeader
from flux.model import Acks, Fetched, FsyncMode, Role
from flux.replication.partition import Partition
from flux.testing import QueuedThread
from tests.replication.scene import MAX_BYTES, TP, Broker, turn


class PartitionMachine(RuleBasedStateMachine):
    """Appends, reports (late, repeated, out of order, too high), clock steps, roles, a failing metadata store, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.appended = 0  # values are numbers: no two appends are alike, so a changed record shows
        self.ends = {1: 0, 2: 0}  # what each follower truly holds
        self.committed: list[bytes] = []  # every value a consumer could ever see, by offset
        self.epoch = -1
        self.watermark = 0
        self.waiting: list[tuple[int, Deferred[int]]] = []

    @initialize(mode=st.sampled_from(FsyncMode), min_isr=st.integers(1, 3), max_lag=st.integers(0, 8))
    def start(self, mode: FsyncMode, min_isr: int, max_lag: int) -> None:
        replication = ReplicationConfig(min_isr=min_isr, replica_max_lag=max_lag)
        # Queued, so that anything may happen while a change is being stored.
        self.broker = Broker(mode=mode, replication=replication, metadata_thread=QueuedThread()).start()
        self.broker.controller.create_topic("orders", 1, 3, {})
        self.store()

    @property
    def metadata(self) -> QueuedThread:
        """The thread that stores the metadata in this life."""
        assert isinstance(self.broker.metadata_thread, QueuedThread)
        return self.broker.metadata_thread

    @property
    def partition(self) -> Partition:
        return self.broker.partition()

    @rule(count=st.integers(1, 4), acks=st.sampled_from(Acks), at_once=st.booleans())
    def append(self, count: int, acks: Acks, at_once: bool) -> None:
        partition = self.partition
        values = [str(self.appended + number).encode() for number in range(count)]
        self.appended += count
        try:
            appended = partition.append(encode([b"k"] * count, values, 0), acks)
        except NotLeader:
            assert partition.role is Role.FOLLOWER
            return
        except NotEnoughReplicas:
            assert acks is Acks.ALL and len(partition.isr) < partition.explain().min_isr
            return
        if len(partition.isr) < partition.explain().min_isr:
            assert partition.high_watermark == self.watermark, partition.explain()
        waiting = partition.when_acknowledged(appended, acks)
        if acks is Acks.ALL:
            if waiting is None:
                assert partition.high_watermark >= appended.end_offset
            else:
                self.waiting.append((appended.end_offset, waiting))
        elif waiting is not None:
            waiting.addErrback(lambda failure: failure.trap(FluxError))
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

    @rule()
    def store(self) -> None:
        """The metadata's disk gets its turn."""
        self.metadata.perform_all()
        turn(self.broker.clock)

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.9, 2.0, 9.5, 10.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.broker.clock.pump([0.25] * int(seconds / 0.25) + [seconds % 0.25])

    @rule(role=st.sampled_from(Role))
    def change_role(self, role: Role) -> None:
        """As an operator who waits for the answer, or does not."""
        self.broker.controller.set_role(TP, role).addErrback(lambda failure: failure.trap(FluxError))

    @rule()
    def the_metadata_cannot_be_stored(self) -> None:
        self.broker.disk.fail(errno.ENOSPC, "append", times=None, where=lambda path: "metadata.json" in path)

    @rule()
    def the_disk_is_well_again(self) -> None:
        self.broker.disk.heal()

    @rule()
    def restart(self) -> None:
        self.broker.disk.heal()
        self.metadata.perform_all()
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
        self.broker.metadata_thread = QueuedThread()

    def forget_waiters(self) -> None:
        """The process that made them is no more."""
        for _, waiting in self.waiting:
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
        partition, seen = self.partition, []
        while len(seen) < partition.high_watermark:
            answers: list[Fetched] = []
            partition.fetch(len(seen), MAX_BYTES, 0, 1).addCallback(answers.append)
            page = [record.value or b"" for record in decode(answers[0].data, len(seen), partition.high_watermark)]
            assert page, f"nothing at {len(seen)} below {partition.high_watermark}"
            seen += page
        assert seen[: len(self.committed)] == self.committed
        self.committed = seen

    @invariant()
    def what_is_acknowledged_by_all_is_committed(self) -> None:
        undecided = []
        for end_offset, waiting in self.waiting:
            if not waiting.called:
                undecided.append((end_offset, waiting))
                continue
            acknowledged: list[int] = []
            waiting.addCallbacks(acknowledged.append, lambda failure: failure.trap(FluxError) and None)
            assert not acknowledged or self.partition.high_watermark >= end_offset
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
                max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
