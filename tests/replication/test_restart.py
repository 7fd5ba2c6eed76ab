"""What of a partition outlives the process."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.config import ReplicationConfig
from flux.errors import NotLeader, StorageError
from flux.model import Acks, FsyncMode, Role
from flux.testing import QueuedThread
from tests.replication.scene import TP, Broker, records, turn, visible_values

THREE = ReplicationConfig(min_isr=2)


class RestartTests(SynchronousTestCase):
    """What outlives the process."""

    def test_alone_the_watermark_is_the_end_of_what_was_recovered(self) -> None:
        """A sole replica needs no checkpoint to show everything again."""
        for mode in FsyncMode:
            broker = Broker(mode=mode).start()
            self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
            broker.put(count=7)
            broker.kill()
            self.assertEqual(visible_values(broker.partition()), records(7))

    def replicated(self, mode: FsyncMode = FsyncMode.ALWAYS) -> Broker:
        """Five records, three of them committed by both followers."""
        broker = Broker(mode=mode, replication=THREE).start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 3, {}))
        broker.put(count=5)
        for replica in (1, 2):
            broker.partition().report(replica, 2)
        turn(broker.clock)
        return broker

    def test_the_watermark_survives_a_stop(self) -> None:
        """Neither less nor more is shown than was committed."""
        broker = self.replicated()
        broker.stop()
        broker.start()
        self.assertEqual(broker.partition().high_watermark, 3)
        self.assertEqual(visible_values(broker.partition()), records(3))

    def test_the_watermark_survives_a_kill(self) -> None:
        """It is saved when it moves, not only when the timer says so."""
        broker = self.replicated().kill()
        self.assertEqual(broker.partition().high_watermark, 3)

    def test_the_watermark_survives_a_life_in_which_the_log_does_not_open(self) -> None:
        """Nothing is known of it then, so what was known stays."""
        broker = self.replicated()
        broker.disk.fail(errno.EIO, "open", times=None, where=lambda path: "/orders-0/" in path)
        broker.kill()
        self.assertRaises(StorageError, broker.partition)
        self.successResultOf(broker.controller.create_topic("other", 1, 1, {}))
        broker.put("other")
        broker.clock.pump([5, 0, 0])
        broker.stop()
        broker.disk.heal()
        broker.start()
        self.assertEqual(broker.partition().high_watermark, 3)

    def test_nothing_is_shown_before_a_restart_would_show_it_too(self) -> None:
        """A watermark is stored first: whenever the process is killed, nobody sees less than before."""
        thread = QueuedThread()
        broker = Broker(replication=THREE, watermark_thread=thread).start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 3, {}))
        appended = broker.put(count=3, acks=Acks.ALL)
        acknowledged = broker.partition().when_acknowledged(appended, Acks.ALL)
        assert acknowledged is not None
        reported = [broker.partition().report(replica, 2) for replica in (1, 2)]
        turn(broker.clock)
        self.assertEqual((broker.partition().high_watermark, broker.partition().committed), (0, 3))
        self.assertIn("3 records are committed and not shown yet", broker.partition().explain().why)
        self.assertNoResult(acknowledged)
        assert reported[1] is not None
        self.assertNoResult(reported[1])
        thread.perform_all()
        self.assertEqual(self.successResultOf(acknowledged), 3)
        self.successResultOf(reported[1])
        broker.kill()
        self.assertEqual(broker.partition().high_watermark, 3)

    def test_a_watermark_that_cannot_be_stored_is_tried_again(self) -> None:
        """On a full disk the answer names what is shown; when there is room again it goes on by itself."""
        broker = self.replicated()
        broker.disk.fail(errno.ENOSPC, "append", times=None, where=lambda path: "high-watermarks" in path)
        for replica in (1, 2):
            reported = broker.partition().report(replica, 4)
        turn(broker.clock)
        assert reported is not None
        self.successResultOf(reported)
        self.assertEqual(broker.partition().high_watermark, 3)
        self.assertEqual(len(self.flushLoggedErrors()), 0)
        broker.disk.heal()
        broker.clock.pump([0.5, 0.0, 0.0])
        self.assertEqual(broker.partition().high_watermark, 5)

    def test_an_epoch_that_ended_meanwhile_shows_nothing(self) -> None:
        """What its watermark was stored for is nobody's any more; the next leader counts anew."""
        thread = QueuedThread()
        broker = Broker(replication=THREE, watermark_thread=thread).start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 3, {}))
        broker.put(count=3)
        for replica in (1, 2):
            broker.partition().report(replica, 2)
        turn(broker.clock)
        self.successResultOf(broker.controller.set_role(TP, Role.FOLLOWER))
        thread.perform_all()
        self.assertEqual(broker.partition().high_watermark, 0)

    def test_it_rises_again_by_reports(self) -> None:
        """Followers go on where they are."""
        broker = self.replicated().kill()
        for replica in (1, 2):
            broker.partition().report(replica, 4)
        turn(broker.clock)
        self.assertEqual(visible_values(broker.partition()), records(5))

    def test_a_timer_saves_it_too(self) -> None:
        """Every five seconds, if anything moved."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        broker.put(count=4)
        broker.clock.advance(5)
        written = [call for call in broker.disk.log if call.path == "/high-watermarks.json"]
        broker.clock.advance(5)
        self.assertEqual([call for call in broker.disk.log if call.path == "/high-watermarks.json"], written)
        self.assertNotEqual(written, [])

    def test_an_unclean_stop_raises_the_epoch(self) -> None:
        """Offsets of a lost tail may be used again: whoever saw them must be able to tell."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        self.assertEqual(broker.put().leader_epoch, 0)
        broker.kill()
        self.assertEqual(broker.put().leader_epoch, 1)
        broker.stop()
        broker.start()
        self.assertEqual(broker.put().leader_epoch, 1)

    def test_a_role_outlives_a_restart(self) -> None:
        """It stays until changed."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        self.successResultOf(broker.controller.set_role(TP, Role.FOLLOWER))
        for _ in range(2):
            self.assertRaises(NotLeader, broker.put)
            broker.kill()
        self.successResultOf(broker.controller.set_role(TP, Role.LEADER))
        broker.put()

    def test_committed_records_that_are_missing_are_reported(self) -> None:
        """A log that ends below the checkpointed watermark has lost something; the start goes on."""
        broker = Broker(replication=ReplicationConfig()).start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        broker.put(count=3)
        broker.stop()
        root = broker.disk.root
        name = f"{0:020d}.log"
        lost = root.child("orders-0").open(name)
        lost.truncate(0)
        lost.close()
        broker.start()
        self.assertEqual(broker.partition().high_watermark, broker.partition().log_end)

    def test_topics_without_metadata_are_adopted(self) -> None:
        """Directories alone are enough: the highest number decides how many partitions, the logs which epoch."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 3, 1, {}))
        broker.put(number=1, count=2)
        broker.kill()
        broker.put(number=1)
        broker.stop()
        for entry in broker.disk.root.list():
            if entry.name.startswith("metadata.json"):
                broker.disk.root.remove(entry.name)
        broker.disk.root.sync()
        broker.start()
        self.assertEqual(visible_values(broker.partition(number=1)), [*records(2), b"v2"])
        self.assertGreater(broker.put(number=1).leader_epoch, 1)
        self.assertEqual(len(broker.controller.image.topics["orders"].partitions), 3)
