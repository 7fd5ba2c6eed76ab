"""A producer's records: batches, order per key, retries."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.client.agent import Wanted
from flux.client.errors import ClientClosed, NoBroker, OutcomeUnknown
from flux.client.options import ProducerOptions
from flux.client.outbox import Outbox
from flux.errors import BadRequest, FluxError, Throttled
from flux.wire.produce import Produced

APPENDED = Produced(0, 0, 0)
OUTCOMES: list[Produced | FluxError] = [APPENDED, APPENDED, Throttled("later"), BadRequest("no")]


class Scene:
    """An outbox, a clock, and what leaves."""

    def __init__(self, **options: int) -> None:
        self.outbox = Outbox(ProducerOptions(**options))  # type: ignore[arg-type]  # acks is the only option that is no number
        self.now_s = 100.0
        self.added = 0

    def add(self, *keys: str | None) -> None:
        """Records numbered as they come: their number is their value."""
        for key in keys:
            self.outbox.post("t", key, str(self.added), None, self.now_s, self.added)
            self.added += 1

    def leaving(self) -> list[Wanted]:
        return self.outbox.wants(self.now_s)

    def tell(self, wanted: Sequence[Wanted], *outcomes: Produced | FluxError) -> None:
        """One outcome each, or one for all."""
        each = outcomes if len(outcomes) > 1 else outcomes * len(wanted)
        for one, outcome in zip(wanted, each, strict=True):
            one.then(outcome, self.now_s)

    def finished(self) -> dict[int, Produced | FluxError | None]:
        return {letter.waiter: letter.outcome for letter in self.outbox.take_finished()}

    def advance(self) -> None:
        """To when the outbox wants to be asked again."""
        wake_at_s = self.outbox.wake_at_s
        assert wake_at_s is not None, "it wants to be woken"
        self.now_s = wake_at_s


def values(wanted: Sequence[Wanted]) -> list[int]:
    return [int(one.call.request.value) for one in wanted]  # type: ignore[attr-defined]  # they are all PRODUCEs


class Batches(SynchronousTestCase):
    """What leaves together."""

    def test_without_linger_a_record_leaves_at_once(self) -> None:
        """And what is added while it is under way leaves together, as far as keys allow."""
        scene = Scene(max_in_flight=2)
        scene.add("a")
        first = scene.leaving()
        scene.add("a", "b", "a", "c", None)
        second = scene.leaving()
        self.assertEqual((values(first), values(second)), ([0], [2, 4, 5]))
        self.assertEqual(scene.leaving(), [])
        scene.tell(first, APPENDED)
        self.assertEqual(values(scene.leaving()), [1, 3])

    def test_a_batch_holds_so_many_and_so_many_are_in_flight(self) -> None:
        """The rest waits."""
        scene = Scene(batch=2, max_in_flight=2)
        scene.add(*"abcdef")
        leaving = scene.leaving()
        self.assertEqual(values(leaving), [0, 1, 2, 3])
        scene.tell(leaving[:1], APPENDED)
        self.assertEqual(scene.leaving(), [])
        scene.tell(leaving[1:2], APPENDED)
        self.assertEqual(values(scene.leaving()), [4, 5])
        self.assertEqual(scene.finished(), {0: APPENDED, 1: APPENDED})

    def test_records_linger_for_company(self) -> None:
        """Until the time is over, a batch is full, or somebody flushes."""
        scene = Scene(linger_ms=50, batch=3)
        scene.add("a")
        self.assertEqual(scene.leaving(), [])
        self.assertEqual(scene.outbox.wake_at_s, 100.05)
        scene.advance()
        scene.add("b")
        self.assertEqual(values(scene.leaving()), [0, 1])
        scene.add("c", "d", "e", "f")
        self.assertEqual(values(scene.leaving()), [2, 3, 4])
        self.assertFalse(scene.outbox.flush())
        self.assertEqual(values(scene.leaving()), [5])
        scene.add("g")
        self.assertEqual(scene.leaving(), [])

    def test_a_crowd_waiting_for_one_key_costs_no_search_without_end(self) -> None:
        """Whoever stands behind so many waits a turn longer."""
        scene = Scene(batch=10, max_buffered=10_000)
        scene.add("a")
        scene.leaving()
        scene.add(*["a"] * 1000, "b")
        self.assertEqual(scene.leaving(), [])
        scene.add("c")
        self.assertEqual(scene.leaving(), [])
        scene = Scene(batch=10, max_buffered=10_000)
        scene.add("a")
        scene.leaving()
        scene.add(*["a"] * 999, "b")
        self.assertEqual(values(scene.leaving()), [1000])


class Room(SynchronousTestCase):
    """Not too many."""

    def test_there_is_room_for_so_many_records_and_bytes(self) -> None:
        """Past it they are refused; what is settled makes room."""
        scene = Scene(max_buffered=2)
        scene.add("a", "b")
        self.assertFalse(scene.outbox.has_room(0))
        with self.assertRaises(Throttled):
            scene.add("c")
        scene.tell(scene.leaving(), APPENDED)
        scene.add("c")
        outbox = Outbox(ProducerOptions(max_buffered_bytes=2000))
        self.assertTrue(outbox.has_room(10_000))
        outbox.post("t", "a", "v" * 399, None, 0.0)
        self.assertTrue(outbox.has_room(600))
        self.assertFalse(outbox.has_room(601))

    def test_a_closed_one_accepts_no_more(self) -> None:
        """What it has accepted still leaves, without lingering."""
        scene = Scene(linger_ms=1000)
        scene.add("a")
        self.assertFalse(scene.outbox.close("closer"))
        with self.assertRaises(ClientClosed):
            scene.add("b")
        scene.tell(scene.leaving(), APPENDED)
        self.assertEqual(scene.outbox.take_flushed(), ["closer"])


class Flushes(SynchronousTestCase):
    """Waiting for all so far."""

    def test_a_flush_ends_when_all_before_it_is_settled(self) -> None:
        """However; and not what came after it."""
        scene = Scene(batch=1, max_in_flight=9)
        self.assertTrue(scene.outbox.flush("nobody"))
        scene.add("a", "b")
        self.assertFalse(scene.outbox.flush("first"))
        scene.add("c")
        self.assertFalse(scene.outbox.flush("second"))
        leaving = scene.leaving()
        scene.tell(leaving[1:], APPENDED)
        self.assertEqual(scene.outbox.take_flushed(), [])
        scene.tell(leaving[:1], OutcomeUnknown("lost"))
        self.assertEqual(scene.outbox.take_flushed(), ["first", "second"])
        self.assertEqual(scene.outbox.take_flushed(), [])
        self.assertTrue(scene.outbox.flush())


class Retries(SynchronousTestCase):
    """Again, but never twice, and never past a later one."""

    def test_what_was_refused_for_now_is_sent_again(self) -> None:
        """After a pause, twice as long each time; in the end its error is its outcome."""
        scene = Scene(max_retries=3, backoff_ms=250)
        scene.add("a")
        pauses = []
        for _ in range(3):
            scene.tell(scene.leaving(), Throttled("later"))
            self.assertEqual((scene.leaving(), scene.finished()), ([], {}))
            before_s = scene.now_s
            scene.advance()
            pauses.append(scene.now_s - before_s)
        self.assertEqual(pauses, [0.25, 0.5, 1.0])
        error = Throttled("enough")
        scene.tell(scene.leaving(), error)
        self.assertEqual(scene.finished(), {0: error})
        self.assertIsNone(scene.outbox.wake_at_s)

    def test_what_may_have_been_appended_is_not_sent_again(self) -> None:
        """Nor what will never be."""
        scene = Scene()
        scene.add("a", "b")
        errors = OutcomeUnknown("lost"), BadRequest("no")
        scene.tell(scene.leaving(), *errors)
        self.assertEqual(scene.finished(), dict(enumerate(errors)))
        self.assertEqual(scene.leaving(), [])

    def test_refused_records_keep_their_places(self) -> None:
        """Before those that were never sent, in their order; success shortens the next pause again."""
        scene = Scene(batch=2, max_in_flight=2, backoff_ms=250)
        scene.add(*"abcdaa")
        leaving = scene.leaving()
        self.assertEqual(values(leaving), [0, 1, 2, 3])
        scene.tell(leaving[2:], NoBroker("gone"))
        scene.tell(leaving[:2], NoBroker("gone"), APPENDED)
        scene.advance()
        self.assertEqual(scene.now_s, 100.25)
        self.assertEqual(values(scene.leaving()), [0, 2, 3])
        self.assertEqual(scene.finished(), {1: APPENDED})

    def test_a_record_fails_rather_than_change_places(self) -> None:
        """With a later one of its key, not with others'."""
        for passed in (APPENDED, OutcomeUnknown("lost")):
            scene = Scene()
            scene.add("a", "b", "a", "a", "a")
            refused = Throttled("later")
            scene.tell(scene.leaving(), refused, refused, refused, passed, refused)
            self.assertEqual(scene.finished(), {0: refused, 2: refused, 3: passed})
            scene.advance()
            self.assertEqual(values(scene.leaving()), [1, 4])

    def test_a_later_one_that_can_never_be_appended_is_no_hindrance(self) -> None:
        """It will not be before the earlier one."""
        scene = Scene()
        scene.add("a", "a")
        scene.tell(scene.leaving(), Throttled("later"), BadRequest("no"))
        scene.advance()
        self.assertEqual(values(scene.leaving()), [0])

    def test_records_without_a_key_have_no_order(self) -> None:
        """Each is sent again by itself."""
        scene = Scene()
        scene.add(None, None)
        scene.tell(scene.leaving(), Throttled("later"), APPENDED)
        scene.advance()
        self.assertEqual(values(scene.leaving()), [0])

    @settings(max_examples=100)
    @given(st.data())
    def test_a_keys_records_are_appended_in_order_and_once(self, data: st.DataObject) -> None:
        """Whatever the broker answers, in whatever order batches are answered."""
        scene = Scene(batch=data.draw(st.integers(1, 4)), max_in_flight=3, max_retries=2)
        keys = data.draw(st.lists(st.sampled_from(["a", "b", None]), max_size=12))
        scene.add(*keys)
        under_way: list[tuple[int, Wanted]] = []
        sent = 0
        appended: list[tuple[int, int]] = []  # when it was sent, which is when it was appended; and which it was
        finished: dict[int, Produced | FluxError | None] = {}
        for _ in range(200):
            leaving = scene.leaving()
            under_way += enumerate(leaving, sent)
            sent += len(leaving)
            if not under_way:
                if scene.outbox.wake_at_s is None:
                    break
                scene.advance()
                continue
            when, one = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            outcome = data.draw(st.sampled_from(OUTCOMES))
            if outcome is APPENDED:
                appended.append((when, values([one])[0]))
            scene.tell([one], outcome)
            finished.update(scene.finished())
        self.assertEqual(sorted(finished), list(range(len(keys))))
        numbers = [number for _, number in sorted(appended)]
        self.assertEqual(
            sorted(numbers), [number for number, outcome in sorted(finished.items()) if outcome is APPENDED]
        )
        for key in ("a", "b"):
            in_order = [number for number in numbers if keys[number] == key]
            self.assertEqual(in_order, sorted(in_order))
        self.assertTrue(scene.outbox.flush())
