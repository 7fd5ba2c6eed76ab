"""Topics come, change and go: with the rooms around the controller, on the model disk."""

import errno

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.config import ClusterConfig
from flux.errors import BadRequest, StorageError, Throttled, TopicExists, UnknownTopic
from flux.interfaces import IController
from flux.model import Role
from flux.testing import QueuedThread, run_now
from tests.replication.scene import Broker


class CreationTests(SynchronousTestCase):
    """Topics, made by command and on first use."""

    def setUp(self) -> None:
        self.thread = QueuedThread()
        self.broker = Broker(
            cluster=ClusterConfig(max_topics=3, max_partitions_per_topic=9), metadata_thread=self.thread
        )
        self.controller = self.broker.start().controller

    def test_the_interface_is_kept(self) -> None:
        """A controller is what the other rooms are promised."""
        verifyObject(IController, self.controller)

    def test_a_topic_is_answered_when_it_is_stored_and_led(self) -> None:
        """Not before; the answer bears the term and index of its change."""
        created = self.controller.create_topic("orders", 2, 1, {})
        self.assertNoResult(created)
        self.assertNotIn("orders", self.controller.image.topics)
        self.thread.perform_all()
        topic = self.successResultOf(created)
        self.assertEqual((topic.term, topic.index), (1, self.controller.image.index))
        self.assertIs(self.broker.partition(number=1).role, Role.LEADER)

    def test_the_same_again_is_the_same_answer(self) -> None:
        """At the same time, later, and after other changes."""
        first, second = (self.controller.create_topic("orders", 2, 1, {}) for _ in range(2))
        self.controller.create_topic("other", 1, 1, {})
        self.thread.perform_all()
        third = self.controller.create_topic("orders", 2, 1, {})
        self.assertEqual(self.successResultOf(first), self.successResultOf(second))
        self.assertEqual(self.successResultOf(third).index, 2)
        self.failureResultOf(self.controller.create_topic("orders", 3, 1, {}), TopicExists)

    def test_what_will_not_do_is_refused(self) -> None:
        """Names, counts and settings; reserved names are for those inside."""
        for name, partitions, factor, config in (
            ("a/b", 1, 1, {}),
            ("..", 1, 1, {}),
            ("", 1, 1, {}),
            ("x\n", 1, 1, {}),
            ("x" * 250, 1, 1, {}),
            ("x", 0, 1, {}),
            ("x", 10, 1, {}),
            ("x", 1, 0, {}),
            ("x", 1, 1 << 40, {}),
            ("x", 1, 1, {"retention.ms": "week"}),
        ):
            self.failureResultOf(self.controller.create_topic(name, partitions, factor, config), BadRequest)
        inside = self.controller.create_topic("__offsets", 1, 1, {})
        self.thread.perform_all()
        self.successResultOf(inside)

    def test_there_are_only_so_many(self) -> None:
        """One more is refused; those there are may be asked for again."""
        for name in "abc":
            self.controller.create_topic(name, 1, 1, {})
        refused = self.controller.create_topic("d", 1, 1, {})
        again = self.controller.create_topic("a", 1, 1, {})
        self.thread.perform_all()
        self.failureResultOf(refused, Throttled)
        self.successResultOf(again)

    def test_first_uses_share_one_creation(self) -> None:
        """A thousand producers of a new topic cost one change."""
        uses = [self.controller.create_on_first_use("orders") for _ in range(1000)]
        self.assertEqual(len(self.thread), 1)
        self.thread.perform_all()
        topics = {self.successResultOf(use).topic_id for use in uses}
        self.assertEqual(topics, {"topic-1"})
        self.assertEqual(self.controller.image.index, 2)
        self.assertEqual(len(self.successResultOf(self.controller.create_on_first_use("orders")).partitions), 3)

    def test_one_who_leaves_does_not_take_the_creation_along(self) -> None:
        """The others still get their topic."""
        first, second = (self.controller.create_on_first_use("orders") for _ in range(2))
        first.addErrback(lambda _: None)
        first.cancel()
        self.thread.perform_all()
        self.successResultOf(second)

    def test_a_failing_store_refuses_them_all(self) -> None:
        """Nothing is seen; the next use tries again."""
        self.broker.disk.fail(errno.ENOSPC, "append")
        uses = [self.controller.create_on_first_use("orders") for _ in range(3)]
        self.thread.perform_all()
        for use in uses:
            self.failureResultOf(use, StorageError)
        self.assertRaises(UnknownTopic, self.broker.replicas.routes, "orders")
        again = self.controller.create_on_first_use("orders")
        self.thread.perform_all()
        self.successResultOf(again)

    def test_first_use_is_for_ordinary_names(self) -> None:
        """And for brokers that allow it."""
        self.failureResultOf(self.controller.create_on_first_use("__offsets"), BadRequest)
        strict = Broker(cluster=ClusterConfig(auto_create_topics=False)).start().controller
        self.failureResultOf(strict.create_on_first_use("orders"), UnknownTopic)

    def test_a_topic_grows_and_is_altered_in_one_change(self) -> None:
        """Both or neither."""
        self.controller.create_topic("orders", 2, 1, {})
        self.thread.perform_all()
        altered = self.controller.alter_topic("orders", {"retention.ms": "5"}, 4)
        self.thread.perform_all()
        image = self.successResultOf(altered)
        self.assertEqual(
            (len(image.topic("orders").partitions), image.topic("orders").config), (4, {"retention.ms": "5"})
        )
        self.failureResultOf(self.controller.alter_topic("orders", {"retention.ms": "9"}, 3), BadRequest)
        self.failureResultOf(self.controller.alter_topic("orders", {}, 10), BadRequest)
        self.failureResultOf(self.controller.alter_topic("orders", {"x": "9"}, None), BadRequest)
        self.failureResultOf(self.controller.alter_topic("other", {}, None), UnknownTopic)
        self.assertEqual(self.controller.image.topic("orders").config, {"retention.ms": "5"})


class DeletionTests(SynchronousTestCase):
    """A topic goes, and its name returns only when its files are gone."""

    def setUp(self) -> None:
        self.thread = QueuedThread()
        self.broker = Broker(metadata_thread=self.thread).start()
        self.controller = self.broker.controller
        self.controller.create_topic("orders", 2, 1, {})
        self.thread.perform_all()

    def test_it_is_gone_when_that_is_stored(self) -> None:
        """Before, it is served."""
        deleted = self.controller.delete_topic("orders")
        self.broker.put()
        self.thread.perform()
        self.assertRaises(UnknownTopic, self.broker.put)
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(deleted).index, 3)
        self.assertEqual(self.broker.logs.existing(), [])
        self.assertEqual(dict(self.controller.image.tombstones), {})

    def test_it_is_answered_when_its_files_are_gone(self) -> None:
        """With the image of the deletion itself."""
        files = QueuedThread()
        broker = Broker(thread=files, metadata_thread=run_now).start()
        self.successResultOf(broker.controller.create_topic("orders", 2, 1, {}))
        deleted = broker.controller.delete_topic("orders")
        self.assertRaises(UnknownTopic, broker.put)
        self.assertNoResult(deleted)
        files.perform_all()
        self.assertEqual(self.successResultOf(deleted).index, 3)

    def test_a_tombstone_that_stays_does_not_block_the_name(self) -> None:
        """The files are gone but that could not be stored: the next creation sees to it."""
        self.controller.delete_topic("orders")
        self.thread.perform()
        self.broker.disk.fail(errno.ENOSPC, "append")
        self.thread.perform_all()
        self.assertEqual(len(self.controller.image.tombstones), 1)
        used = self.controller.create_on_first_use("orders")
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(used).topic_id, "topic-2")
        self.assertEqual(dict(self.controller.image.tombstones), {})

    def test_first_use_meanwhile_waits_for_the_files(self) -> None:
        """Then the topic is a new one."""
        self.controller.delete_topic("orders")
        self.thread.perform()
        used = self.controller.create_on_first_use("orders")
        self.assertNoResult(used)
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(used).topic_id, "topic-2")
        self.assertEqual(self.broker.partition().log_end, 0)

    def test_deleting_twice_is_an_unknown_topic(self) -> None:
        """As is deleting what never was."""
        self.controller.delete_topic("orders")
        second = self.controller.delete_topic("orders")
        self.thread.perform_all()
        self.failureResultOf(second, UnknownTopic)
        self.failureResultOf(self.controller.delete_topic("other"), UnknownTopic)

    def test_a_crash_in_the_middle_is_finished_by_the_next_start(self) -> None:
        """Once the tombstone is stored the topic never returns, and no file stays."""
        self.broker.put()
        self.controller.delete_topic("orders")
        self.thread.perform()
        self.broker.metadata_thread = QueuedThread()
        controller = self.broker.kill().controller
        self.assertNotIn("orders", controller.image.topics)
        self.broker.metadata_thread.perform_all()
        self.assertEqual((dict(controller.image.tombstones), self.broker.logs.existing()), ({}, []))
