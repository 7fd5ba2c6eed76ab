from flux.interfaces import Assignment
from tests.group.scene import GroupTestCase, Scene


class TopicTests(GroupTestCase):
    def test_a_topic_that_grows_is_shared_anew_at_once(self) -> None:
        """Nobody has to ask: the generation has risen, and who is told so joins again and owns more."""
        scene = self.scene
        scene.join("c1")
        scene.join("c1", topic="payments")
        scene.topics.create_topic("orders", 5, 1, {})
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 1, 2, 3, 4)))
        self.assertEqual(scene.join("c1", topic="payments"), Assignment(2, (0, 1, 2)))
        event = scene.done(scene.groups.explain("g"))[-1]
        self.assertEqual(
            (event["cause"], event["before"]["partitions"], event["after"]["partitions"]), ("partitions_changed", 3, 5)
        )

    def test_a_topic_that_grew_while_the_broker_was_down_is_shared_at_the_start(self) -> None:
        """Once: the next start finds nothing to do."""
        scene = self.scene
        scene.join("c1")
        scene.stop()
        scene.topics.forget_observers()
        scene.topics.create_topic("orders", 4, 1, {})
        self.assertEqual(scene.start().join("c1"), Assignment(3, (0, 1, 2, 3)))
        self.assertEqual(scene.restart().join("c1").generation, 3)

    def test_a_deleted_topic_leaves_members_with_nothing_and_takes_its_offsets_with_it(self) -> None:
        """A topic of the same name made later is read from its beginning: its records have never been read."""
        scene = self.scene
        scene.join("c1")
        scene.join("c1", topic="payments")
        for partition in range(3):
            scene.commit("c1", 2, partition, 500)
        scene.commit("c1", 2, 0, 7, topic="payments")
        scene.topics.delete("orders")
        self.assertEqual(scene.join("c1", topic="payments").generation, 2)
        scene.topics.create_topic("orders", 3, 1, {})
        for _ in range(2):
            self.assertEqual(scene.join("c1"), Assignment(4, (0, 1, 2)))
            self.assertEqual([scene.committed(partition) for partition in range(3)], [None] * 3)
            self.assertEqual(scene.committed(0, topic="payments"), 7)
            scene.cut()

    def test_a_topic_made_anew_in_one_go_is_read_from_its_beginning_too(self) -> None:
        """By its id: the members keep what they own, lose what they had committed, and are fenced from committing it again."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 500)
        scene.topics.recreate("orders")
        self.assertEqual((scene.join("c1"), scene.committed(0)), (Assignment(3, (0, 1, 2)), None))

    def test_a_deletion_seen_only_at_the_start_counts_too(self) -> None:
        """The broker was killed between the deletion and what follows from it: the files are still to be removed."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 500)
        scene.topics.forget_observers()
        scene.topics.delete("orders")
        self.assertIsNone(scene.kill().committed(0))

    def test_a_topic_that_is_merely_missing_keeps_its_offsets(self) -> None:
        """Metadata lost and found again must not cost what was committed."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 500)
        scene.stop()
        scene.topics = type(scene.topics)()
        scene.start()
        self.assertEqual(scene.committed(0), 500)
        scene.topics.create_topic("orders", 3, 1, {})
        self.assertEqual((scene.join("c1"), scene.committed(0)), (Assignment(4, (0, 1, 2)), 500))

    def test_what_a_full_disk_refuses_is_done_later(self) -> None:
        """The members keep what they had until then."""
        scene = Scene(capacity=10**6).start()
        scene.join("c1")
        scene.disk.capacity = scene.disk.used
        scene.topics.create_topic("orders", 5, 1, {})
        self.assertEqual(scene.join("c1"), Assignment(2, (0, 1, 2)))
        scene.disk.capacity = None
        scene.clock.advance(1)
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 1, 2, 3, 4)))
