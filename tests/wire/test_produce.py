"""PRODUCE: one request both ways, runs as columns, answers in one pass."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError, NotLeader, ReplicationTimeout
from flux.model import Acks
from flux.wire.produce import Produce, Produced, ProducedRun, ProduceRun
from flux.wire.v1 import Replies, Reply, Request, Run, cut, error_line, ok_line, request_line
from tests.wire.test_produce_line import LINES, REFUSED

PROMISES: tuple[type[Request], type[Reply], type[Run], type[Replies]] = (Produce, Produced, ProduceRun, ProducedRun)

LF = b"\n"
any_bytes = st.binary(max_size=20)
tricky = st.text(alphabet="k v:=|%\t\r\nacksts1é,", max_size=14).map(str.encode)
records = st.builds(
    Produce,
    st.sampled_from(["t", "orders", "a.b-c_d", "x" * 249]),
    st.one_of(st.none(), any_bytes, tricky),
    st.one_of(st.none(), any_bytes, tricky),
    st.sampled_from(Acks),
    st.one_of(st.none(), st.integers(0, (1 << 63) - 1)),
)

# Lines of a run: mostly of one spelling, as clients write them, with everything else in between.
blanks = st.sampled_from([b" ", b" ", b" ", b"  ", b"\t", b" \t", b""])
topics = st.sampled_from([b"t", b"t", b"t", b"t", b"u", b"T", b"t:", b"/", b""])
keys = st.one_of(st.sampled_from([b"k", b"", b"k 1", b"k=1", b"a\tb", b" k", b"\x0bk"]), tricky)
values = st.one_of(
    st.sampled_from([b"v", b"", b"a b", b"a=b", b"a|b:c", b"x=1 y=2", b"ts=5", b"v\x0b", b"v\r"]), tricky, any_bytes
)
options = st.sampled_from(
    b"acks=1 acks=1 acks=1 acks=0 acks=all ACKS=All acks=2 ts=5 ts=x enc=pct enc=b64 key=null null=1 NULL=1 acks= color=red acks".split()
)
usual = st.builds(lambda key, value: b"t %b:%b acks=1" % (key, value), st.sampled_from([b"k1", b"k2", b""]), values)
spelled = st.builds(
    lambda topic, gap, key, value, tail: topic + gap + key + b":" + value + b"".join(tail),
    topics,
    blanks,
    keys,
    values,
    st.lists(st.builds(lambda gap, option: gap + option, blanks, options), max_size=3),
)
lines = st.one_of(usual, usual, usual, spelled, any_bytes, tricky).map(lambda line: line.replace(LF, b""))
of_few_kinds = st.builds(
    lambda topic, value, ending: (topic + b" k:" + value + ending).replace(LF, b""),
    st.sampled_from([b"t", b"u"]),
    values,
    st.sampled_from([b" acks=1", b" acks=1", b" acks=0", b""]),
)
runs = st.one_of(
    st.lists(of_few_kinds, min_size=8, max_size=20),
    st.lists(lines, max_size=12),
    st.lists(usual.map(lambda line: line.replace(LF, b"")), max_size=12),
    st.lists(st.builds(lambda value: (b"t k:" + value).replace(LF, b""), values), max_size=12),
)


class OneRequest(SynchronousTestCase):
    """Produce, both ways."""

    def test_a_record_is_written_as_it_is_if_that_can_be_read(self) -> None:
        """With its acks at the end, as deployed clients do; else in the shorter encoding."""
        for record, text in [
            (Produce("t", b"k", b"v"), b"t k:v acks=1"),
            (Produce("t", b"", b""), b"t : acks=1"),
            (Produce("t", b"k 1", b"  a:b|c,=%", Acks.ALL), b"t k 1:  a:b|c,=% acks=all"),
            (Produce("t", b"k", b"acks=0"), b"t k:acks=0 acks=1"),
            (Produce("t", b"k", b"v", Acks.NONE, 5), b"t k:v acks=0 ts=5"),
            (Produce("t", None, b"v"), b"t :v acks=1 key=null"),
            (Produce("t", b"k", None), b"t k: acks=1 null=1"),
            (Produce("t", None, None, Acks.ALL, 0), b"t : acks=all key=null null=1 ts=0"),
            (Produce("t", b"a:b", b"v"), b"t a%3Ab:v acks=1 enc=pct"),
            (Produce("t", b" k", b"v"), b"t %20k:v acks=1 enc=pct"),
            (Produce("t", b"k", b"a\nb"), b"t k:a%0Ab acks=1 enc=pct"),
            (Produce("t", b"k", b"v "), b"t k:v%20 acks=1 enc=pct"),
            (Produce("t", b"k", b"v ts=1"), b"t k:v%20ts%3D1 acks=1 enc=pct"),
            (Produce("t", b"k", b"\x00\xff\n\r\x00\xff"), b"t aw==:AP8KDQD/ acks=1 enc=b64"),
            (Produce("t", None, b"\n\n\n\n"), b"t :CgoKCg== acks=1 enc=b64 key=null"),
        ]:
            self.assertEqual(record.encode(), text)
            self.assertEqual(Produce.decode(text), record)

    def test_a_bad_topic_is_not_sent(self) -> None:
        """It would be read as something else."""
        for topic in ("", "a b", "a\n", "../x", "__x"):
            self.assertRaises(BadRequest, Produce(topic, b"k", b"v").encode)

    @given(records)
    def test_any_bytes_arrive(self, record: Produce) -> None:
        """Key and value, null or not, through the request line as well."""
        text = record.encode()
        self.assertEqual(Produce.decode(text), record)
        (run,) = cut([request_line(b"1", "PRODUCE", text)[:-1]])
        self.assertEqual(run.arguments, [text])

    def test_the_reply_is_read_and_written(self) -> None:
        """Byte for byte; fields appended later are passed over."""
        self.assertEqual(Produced(2, 1, 0).encode(), b"partition=2 offset=1 hw=0")
        self.assertEqual(Produced.decode(b"partition=2 offset=1 hw=-1 more=[1]"), Produced(2, 1, -1))

    @given(
        st.integers(0, 1 << 31), st.integers(0, (1 << 63) - 1), st.integers(-1, (1 << 63) - 1), st.binary(max_size=30)
    )
    def test_replies_are_read_or_refused(
        self, partition: int, offset: int, high_watermark: int, garbage: bytes
    ) -> None:
        """What is written is read; of anything else nothing but a refusal comes."""
        produced = Produced(partition, offset, high_watermark)
        self.assertEqual(Produced.decode(produced.encode()), produced)
        try:
            Produced.decode(garbage)
        except FluxError as error:
            self.assertIn(": ", str(error))


class DecodingRuns(SynchronousTestCase):
    """Many requests → columns."""

    def test_a_usual_run_shares_topic_and_acks(self) -> None:
        """Nobody has to look at each."""
        for ending, acks in [
            (b"", Acks.LEADER),
            (b" acks=1", Acks.LEADER),
            (b" acks=0", Acks.NONE),
            (b" acks=all", Acks.ALL),
        ]:
            run = ProduceRun.decode_run([b"orders k%d:v %d%b" % (number, number, ending) for number in range(3)])
            self.assertEqual(
                run,
                ProduceRun(
                    topics=["orders"] * 3,
                    keys=[b"k0", b"k1", b"k2"],
                    values=[b"v 0", b"v 1", b"v 2"],
                    acks=[acks] * 3,
                    timestamps=None,
                    errors={},
                    one_topic="orders",
                    one_acks=acks,
                ),
            )

    def test_a_mixed_run_shares_what_it_shares(self) -> None:
        """Topic or acks or neither."""
        run = ProduceRun.decode_run([b"t a:1 acks=1", b"u b:2 acks=1 ts=7", b"t c:3"])
        self.assertEqual((run.topics, run.one_topic, run.one_acks), (["t", "u", "t"], None, Acks.LEADER))
        self.assertEqual(
            (run.keys, run.values, run.timestamps), ([b"a", b"b", b"c"], [b"1", b"2", b"3"], [None, 7, None])
        )
        run = ProduceRun.decode_run([b"t a:1 acks=1", b"t a:1 acks=0"])
        self.assertEqual((run.acks, run.one_topic, run.one_acks), ([Acks.LEADER, Acks.NONE], "t", None))

    def test_an_unreadable_request_costs_its_own_place(self) -> None:
        """Its neighbours stay; nothing is shared, so that nobody takes the columns unseen."""
        run = ProduceRun.decode_run([b"t a:1 acks=1", b"t a acks=1", b"t b:2 acks=1", b"t b:2 acks=2"])
        self.assertEqual(sorted(run.errors), [1, 3])
        self.assertIn("key: ", str(run.errors[1]))
        self.assertIn("acks: ", str(run.errors[3]))
        self.assertEqual((run.keys[0], run.keys[2], run.values[0], run.values[2]), (b"a", b"b", b"1", b"2"))
        self.assertEqual((len(run.topics), len(run.keys), len(run.values), len(run.acks)), (4, 4, 4, 4))
        self.assertEqual((run.one_topic, run.one_acks), (None, None))

    def test_lines_that_overlap_their_neighbours_are_told_apart(self) -> None:
        """A line that is all beginning and ending joins neither of those around it."""
        run = ProduceRun.decode_run([b"t a:1 acks=1", b"t acks=1", b"t b:2 acks=1"])
        self.assertEqual((sorted(run.errors), run.values[0], run.values[2]), ([1], b"1", b"2"))
        self.assertEqual(sorted(ProduceRun.decode_run([b"t acks=1"]).errors), [0])
        self.assertEqual(sorted(ProduceRun.decode_run([b"t ", b"t ", b"t"]).errors), [0, 1, 2])

    def test_every_spelling_is_read_in_a_run(self) -> None:
        """Alone, among its like and among others."""
        usual = b"t k:v acks=1"
        for line, *fields in LINES:
            for arguments in ([line], [line] * 5, [usual, line], [line, usual], [usual] * 4 + [line] * 4):
                run = ProduceRun.decode_run(arguments)
                at = arguments.index(line)
                stamp = run.timestamps[at] if run.timestamps is not None else None
                self.assertEqual([run.topics[at], run.keys[at], run.values[at], run.acks[at], stamp], fields, line)
                self.assertEqual(run.errors, {})
        for line, named in REFUSED:
            for arguments in ([line], [line] * 5, [usual, line], [line, usual], [usual] * 4 + [line] * 4):
                errors = ProduceRun.decode_run(arguments).errors
                self.assertEqual(sorted(errors), [at for at, text in enumerate(arguments) if text == line])
                self.assertTrue(all(str(error).startswith(named) for error in errors.values()), line)

    def test_no_requests_are_an_empty_run(self) -> None:
        """With nothing to share."""
        self.assertEqual(ProduceRun.decode_run([]), ProduceRun([], [], [], []))

    def test_runs_overlap(self) -> None:
        """Those behind need not wait for the acks of those before."""
        self.assertTrue(ProduceRun.OVERLAPS)
        self.assertFalse(hasattr(Produce, "OVERLAPS"))
        self.assertEqual(
            (ProduceRun.COMMAND, ProduceRun.USAGE, ProduceRun.HELP), (Produce.COMMAND, Produce.USAGE, Produce.HELP)
        )

    @given(runs)
    def test_a_run_is_its_requests(self, arguments: list[bytes]) -> None:
        """What is read by whole-run operations is read as each request alone."""
        run = ProduceRun.decode_run(arguments)
        readable: list[Produce] = []
        for position, text in enumerate(arguments):
            try:
                one = Produce.decode(text)
            except BadRequest as error:
                self.assertEqual(str(run.errors.pop(position)), str(error))
                continue
            readable.append(one)
            self.assertEqual(
                Produce(
                    run.topics[position],
                    run.keys[position],
                    run.values[position],
                    run.acks[position],
                    run.timestamps[position] if run.timestamps is not None else None,
                ),
                one,
            )
        self.assertEqual(run.errors, {})
        all_readable = len(readable) == len(arguments)
        shared_topics, shared_acks = {one.topic for one in readable}, {one.acks for one in readable}
        self.assertEqual(run.one_topic, shared_topics.pop() if all_readable and len(shared_topics) == 1 else None)
        self.assertEqual(run.one_acks, shared_acks.pop() if all_readable and len(shared_acks) == 1 else None)
        self.assertEqual(run.timestamps is None, all(one.timestamp_ms is None for one in readable))


class AnsweringRuns(SynchronousTestCase):
    """Columns → lines."""

    def test_answers_stand_in_the_order_of_their_requests(self) -> None:
        """Errors in their places."""
        run = ProducedRun([(2, -1), (0, 0), (1, 9)], [5, 0, 7], {1: NotLeader("orders-1: ask broker 3")})
        self.assertEqual(
            run.lines([b"1", b"%s", "é|".encode()]),
            b"V1|1|OK|partition=2 offset=5 hw=-1\n"
            b"V1|%s|ERR|NOT_LEADER|orders-1: ask broker 3\n" + "V1|é||OK|partition=1 offset=7 hw=9\n".encode(),
        )

    def test_no_requests_have_no_answer(self) -> None:
        """Not even an empty line."""
        self.assertEqual(ProducedRun([], []).lines([]), b"")

    def test_columns_of_different_lengths_are_a_fault(self) -> None:
        """No answer is better than one under the wrong id."""
        for run, correlation_ids in [
            (ProducedRun([(1, 1)], [1]), [b"1", b"2"]),
            (ProducedRun([(1, 1)], [1, 2]), [b"1", b"2"]),
            (ProducedRun([(1, 1), (2, 2)], [1]), [b"1", b"2"]),
        ]:
            self.assertRaises((ValueError, TypeError), run.lines, correlation_ids)

    @given(
        st.lists(
            st.tuples(
                st.binary(min_size=1, max_size=6).map(lambda data: data.replace(LF, b"-")),
                st.integers(0, 3),
                st.integers(0, 1 << 62),
                st.integers(-1, 3),
                st.sampled_from([None, None, None, NotLeader("a%d\nb"), ReplicationTimeout("é"), BadRequest("")]),
            ),
            max_size=10,
        )
    )
    def test_a_run_is_answered_as_each_alone(
        self, answers: list[tuple[bytes, int, int, int, FluxError | None]]
    ) -> None:
        """The lines are those of ok_line and error_line."""
        run = ProducedRun(
            [(partition, high_watermark) for _, partition, _, high_watermark, _ in answers],
            [offset for _, _, offset, _, _ in answers],
            {position: error for position, (*_, error) in enumerate(answers) if error is not None},
        )
        expected = [
            ok_line(correlation_id, Produced(partition, offset, high_watermark).encode())
            if error is None
            else error_line(correlation_id, error.code, str(error))
            for correlation_id, partition, offset, high_watermark, error in answers
        ]
        self.assertEqual(run.lines([correlation_id for correlation_id, *_ in answers]), b"".join(expected))
