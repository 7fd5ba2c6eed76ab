"""The admin family's brokers and metadata, through a whole broker."""

from twisted.trial.unittest import SynchronousTestCase

from tests.commands.scene import Scene

# What deployed clients are answered: the request, and how the answer begins, or the id and the code.
ADMIN = [
    (b"1 ADMIN_CREATE_TOPIC payments 3 1", b"1 topic=payments partitions=3 replication_factor=1 term=1 index=2"),
    (b"2 PRODUCE payments user1:x", b"2 partition=2 offset=0 hw=0"),
    (b"3 ADMIN_CREATE_TOPIC payments 3 1", b"3 topic=payments partitions=3 replication_factor=1 term=1 index=2"),
    (b"4 ADMIN_CREATE_TOPIC payments 4 1", b"4 TOPIC_EXISTS"),
    (b"5 ADMIN_REGISTER_BROKER 1 127.0.0.1 9093 100", b"5 broker_id=1 host=127.0.0.1 port=9093 term=1 index=3"),
    (b"6 ADMIN_BROKER_HEARTBEAT 1", b"6 broker_id=1 heartbeat=ok term=1 index=4"),
    (b"7 ADMIN_BROKER_HEARTBEAT 99", b"7 BAD_REQUEST"),
    (
        b"8 ADMIN_SET_PARTITION_LEADER payments 1 1 1,0",
        b"8 topic=payments partition=1 leader=1 isr=[1 0] term=1 index=5",
    ),
    (b"9 ADMIN_GET_METADATA", b"9 topics=[payments] brokers=[0 1] fenced=[]"),
    (b"10 ADMIN_GET_METADATA x", b"10 BAD_REQUEST"),
    (b"11 ADMIN_CREATE_TOPIC bad/name 1 1", b"11 BAD_REQUEST"),
    (b"12 ADMIN_CREATE_TOPIC zero 0 1", b"12 BAD_REQUEST"),
]


class BrokerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_an_administrators_day(self) -> None:
        """As deployed clients know it; index counts the changes."""
        for request, answer in ADMIN:
            self.assertEqual(self.scene.ask(request), [answer])

    def test_a_heartbeat_that_changes_nothing_is_no_entry(self) -> None:
        """Nor is registering what is registered."""
        self.scene.ask(b"1 ADMIN_REGISTER_BROKER 1 h 1 5", b"2 ADMIN_BROKER_HEARTBEAT 1")
        self.assertEqual(
            self.scene.ask(b"3 ADMIN_BROKER_HEARTBEAT 1", b"4 ADMIN_REGISTER_BROKER 1 h 1 5"),
            [b"3 broker_id=1 heartbeat=ok term=1 index=3", b"4 broker_id=1 host=h port=1 term=1 index=3"],
        )
        self.assertEqual(self.scene.ask(b"5 ADMIN_REGISTER_BROKER 1 h 1 4"), [b"5 BAD_REQUEST"])

    def test_a_fenced_broker_leads_nothing_until_it_is_unfenced(self) -> None:
        """This one too; the metadata names it."""
        self.scene.create("t", partitions=2)
        self.assertEqual(self.scene.ask(b"1 ADMIN_FENCE_BROKER 0"), [b"1 broker_id=0 fenced=true term=1 index=3"])
        self.assertEqual(
            self.scene.ask(b"2 PRODUCE t k:v", b"3 ADMIN_GET_METADATA"),
            [b"2 NOT_LEADER", b"3 topics=[t] brokers=[0] fenced=[0]"],
        )
        self.assertEqual(self.scene.ask(b"4 ADMIN_UNFENCE_BROKER 0"), [b"4 broker_id=0 fenced=false term=1 index=4"])
        self.assertEqual(
            self.scene.ask(b"5 PRODUCE t k:v acks=all", b"6 ADMIN_FENCE_BROKER 7"),
            [b"5 partition=0 offset=0 hw=0", b"6 BAD_REQUEST"],
        )

    def test_leaders_move_by_command_and_back_by_election(self) -> None:
        """The follower refuses, and names the leader."""
        self.scene.create("t", partitions=2)
        self.scene.ask(b"1 ADMIN_REGISTER_BROKER 1 h 1")
        self.assertEqual(self.scene.ask(b"2 ADMIN_SET_PARTITION_LEADER t 1 1 1,0"), [b"2 BAD_REQUEST"])
        self.scene.ask(b"3 ADMIN_BROKER_HEARTBEAT 1", b"4 ADMIN_SET_PARTITION_LEADER t 1 1 1,0")
        self.scene.client.send(b"5 PRODUCE t k3:v")
        self.scene.settle()
        (refusal,) = self.scene.client.lines()
        self.assertIn(b"|ERR|NOT_LEADER|t-1 is led by broker 1", refusal)
        self.assertEqual(
            self.scene.ask(
                b"6 ADMIN_ELECT_TOPIC_LEADERS t", b"7 ADMIN_ELECT_TOPIC_LEADERS t", b"8 ADMIN_ELECT_TOPIC_LEADERS none"
            ),
            [b"6 topic=t elected_changes=1", b"7 topic=t elected_changes=0", b"8 UNKNOWN_TOPIC"],
        )
        # The ISR names broker 1, which has not reported to this leader: one replica alone decides until it leaves.
        self.assertEqual(self.scene.ask(b"9 PRODUCE t k3:v"), [b"9 partition=1 offset=0 hw=-1"])

    def test_silence_is_reconciled_by_the_timeout_given(self) -> None:
        """And by the broker itself, with its own."""
        self.scene.ask(b"1 ADMIN_REGISTER_BROKER 1 h 1", b"2 ADMIN_BROKER_HEARTBEAT 1")
        self.scene.clock.advance(2)
        self.assertEqual(
            self.scene.ask(b"3 ADMIN_RECONCILE_BROKER_HEALTH 5000", b"4 ADMIN_RECONCILE_BROKER_HEALTH 2000"),
            [b"3 reconciled=0", b"4 reconciled=1"],
        )
        self.assertEqual(self.scene.ask(b"5 ADMIN_GET_METADATA"), [b"5 topics=[] brokers=[0 1] fenced=[1]"])
        self.scene.ask(b"6 ADMIN_BROKER_HEARTBEAT 1")
        self.assertEqual(self.scene.ask(b"7 ADMIN_GET_METADATA"), [b"7 topics=[] brokers=[0 1] fenced=[]"])
        self.scene.clock.pump([0.5] * 20)
        self.scene.settle()
        self.assertEqual(self.scene.ask(b"8 ADMIN_GET_METADATA"), [b"8 topics=[] brokers=[0 1] fenced=[1]"])

    def test_the_brokers_own_topics_are_not_listed(self) -> None:
        """They exist all the same."""
        self.assertIn("__consumer_offsets", self.scene.broker.controller.image.topics)
        self.scene.ask(b"1 JOIN g t c1")
        self.assertEqual(self.scene.ask(b"2 ADMIN_GET_METADATA"), [b"2 topics=[t] brokers=[0] fenced=[]"])
