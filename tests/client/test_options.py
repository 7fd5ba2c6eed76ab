"""How long to wait before trying again."""

from twisted.trial.unittest import SynchronousTestCase

from flux.client.options import Attempts, Backoff, ConsumerOptions, ProducerOptions


class Pauses(SynchronousTestCase):
    """Between attempts."""

    def test_each_is_twice_as_long_up_to_a_limit(self) -> None:
        """Until it goes well."""
        backoff = Backoff(250, 1500)
        self.assertEqual([backoff.next_s() for _ in range(5)], [0.25, 0.5, 1.0, 1.5, 1.5])
        backoff.reset()
        self.assertEqual(backoff.next_s(), 0.25)

    def test_a_handler_has_so_many_attempts(self) -> None:
        """Then there is no next one, ever."""
        attempts = Attempts(ConsumerOptions(max_retries=2, backoff_ms=100))
        self.assertEqual([attempts.next_s() for _ in range(4)], [0.1, 0.2, None, None])
        self.assertIsNone(Attempts(ConsumerOptions(max_retries=0)).next_s())

    def test_the_defaults_are_the_documented_ones(self) -> None:
        """People rely on them."""
        consumer, producer = ConsumerOptions(), ProducerOptions()
        self.assertEqual((consumer.assignor, consumer.heartbeat_ms, consumer.poll_ms), ("round_robin", 2000, 500))
        self.assertEqual((consumer.max_retries, consumer.backoff_ms), (3, 250))
        self.assertEqual((producer.max_retries, producer.backoff_ms), (3, 250))
        self.assertEqual((producer.linger_ms, producer.batch), (0, 100))
