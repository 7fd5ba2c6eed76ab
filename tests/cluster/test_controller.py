"""The controller: its starts and stops, with the rooms around it, on the model disk."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import ShuttingDown, StorageError
from tests.replication.scene import Broker, turn


class TermTests(SynchronousTestCase):
    """Starts and stops."""

    def test_each_start_is_a_term(self) -> None:
        """Term and index rise, whether anything else has changed or not."""
        broker = Broker().start()
        seen = []
        for _ in range(3):
            seen.append((broker.controller.image.term, broker.controller.image.index))
            broker.stop()
            broker.start()
        self.assertEqual(seen, [(1, 1), (2, 2), (3, 3)])

    def test_a_stopped_controller_changes_nothing(self) -> None:
        """What comes late is told so."""
        broker = Broker().start()
        broker.stop()
        self.failureResultOf(broker.controller.create_topic("orders", 1, 1, {}), ShuttingDown)

    def test_a_start_that_cannot_be_stored_fails(self) -> None:
        """Nothing is seen of a term that is not on disk."""
        broker = Broker().start()
        broker.stop()
        broker.disk.fail(errno.ENOSPC, "append", where=lambda path: "metadata.json" in path)
        self.assertRaises(StorageError, broker.start)

    def test_a_directory_that_can_be_no_topic_is_left_alone(self) -> None:
        """It is not ours."""
        broker = Broker().start()
        broker.stop()
        for name in ("what ever-0", "x-1"):
            broker.disk.root.child(name).make()
        broker.start()
        self.assertEqual(sorted(broker.controller.image.topics), ["x"])
        self.assertIn("what ever-0", [entry.name for entry in broker.disk.root.list()])

    def test_partitions_beyond_the_topic_are_left_alone(self) -> None:
        """Absence from the metadata is no reason to delete, nor to grow a topic."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        broker.stop()
        broker.disk.root.child("orders-5").make()
        broker.start()
        turn(broker.clock)
        self.assertEqual(len(broker.controller.image.topics["orders"].partitions), 1)
        self.assertIn("orders-5", [entry.name for entry in broker.disk.root.list()])
