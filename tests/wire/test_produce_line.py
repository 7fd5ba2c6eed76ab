"""One PRODUCE line in every spelling."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest
from flux.model import Acks
from flux.wire.produce_line import ends_in_option, read_line, travels_plain

LINES = [
    # line, topic, key, value, acks, timestamp
    (b"orders user1:created", "orders", b"user1", b"created", Acks.LEADER, None),
    (b"orders user1:paid acks=1", "orders", b"user1", b"paid", Acks.LEADER, None),
    (b"orders user1:paid acks=0", "orders", b"user1", b"paid", Acks.NONE, None),
    (b"orders user1:closed acks=all", "orders", b"user1", b"closed", Acks.ALL, None),
    (b"orders user1:x ACKS=ALL", "orders", b"user1", b"x", Acks.ALL, None),
    (b"t user1:a:b:c", "t", b"user1", b"a:b:c", Acks.LEADER, None),
    (b"t user1:a|b|c", "t", b"user1", b"a|b|c", Acks.LEADER, None),
    (b"t :nokey", "t", b"", b"nokey", Acks.LEADER, None),
    (b"t user1:", "t", b"user1", b"", Acks.LEADER, None),
    (b"t : acks=1", "t", b"", b"", Acks.LEADER, None),
    ("t user1:héllo✓".encode(), "t", b"user1", "héllo✓".encode(), Acks.LEADER, None),
    (b"t user1:hello  world", "t", b"user1", b"hello  world", Acks.LEADER, None),
    (b"t user1:hello world acks=all", "t", b"user1", b"hello world", Acks.ALL, None),
    (b"t dXNlcjE=:aGksIHRoZXJlCg== enc=b64", "t", b"user1", b"hi, there\n", Acks.LEADER, None),
    (b"t user%201:a%0AV1%7C9%7COK enc=pct", "t", b"user 1", b"a\nV1|9|OK", Acks.LEADER, None),
    (b"t user1:100%", "t", b"user1", b"100%", Acks.LEADER, None),
    # blanks
    (b"  t \t k:v", "t", b"k", b"v", Acks.LEADER, None),
    (b"t\tk:v\tacks=all", "t", b"k", b"v", Acks.ALL, None),
    (b"t\tk k:v v", "t", b"k k", b"v v", Acks.LEADER, None),
    (b"t  k:v acks=1", "t", b"k", b"v", Acks.LEADER, None),
    (b"t \x0bk:v\x0c acks=1", "t", b"\x0bk", b"v\x0c", Acks.LEADER, None),
    (b"t a\tkey :  v", "t", b"a\tkey ", b"  v", Acks.LEADER, None),
    (b"t k:v \t acks=0 \t ts=5 \t ", "t", b"k", b"v", Acks.NONE, 5),
    (b"t k:v  ", "t", b"k", b"v  ", Acks.LEADER, None),
    (b"t k:  acks=0", "t", b"k", b"", Acks.NONE, None),
    # what is an option, and what only looks like one
    (b"t k:acks=2", "t", b"k", b"acks=2", Acks.LEADER, None),
    (b"t k:acks=0 acks=all", "t", b"k", b"acks=0", Acks.ALL, None),
    (b"t k:v acks=2 more", "t", b"k", b"v acks=2 more", Acks.LEADER, None),
    (b"t k:v color=red acks=0", "t", b"k", b"v color=red", Acks.NONE, None),
    (b"t k:v acks =0", "t", b"k", b"v acks =0", Acks.LEADER, None),
    (b"t k:v acks", "t", b"k", b"v acks", Acks.LEADER, None),
    (b"t k:v xacks=2", "t", b"k", b"v xacks=2", Acks.LEADER, None),
    (b"t k:v\x0backs=2", "t", b"k", b"v\x0backs=2", Acks.LEADER, None),
    (b"t acks=1:v", "t", b"acks=1", b"v", Acks.LEADER, None),
    (b"t k:v enc=pct ts=0 acks=0", "t", b"k", b"v", Acks.NONE, 0),
    (b"t k:v TS=+007 Acks=0", "t", b"k", b"v", Acks.NONE, 7),
    # nulls
    (b"t :v key=null", "t", None, b"v", Acks.LEADER, None),
    (b"t :v KEY=NULL acks=1", "t", None, b"v", Acks.LEADER, None),
    (b"t k: null=1", "t", b"k", None, Acks.LEADER, None),
    (b"t : null=1 key=null acks=all ts=9 enc=b64", "t", None, None, Acks.ALL, 9),
    (b"t :dg== key=null enc=b64", "t", None, b"v", Acks.LEADER, None),
]
REFUSED = [
    # line, what the message names
    (b"", "topic: ''"),
    (b"orders", "key: "),
    (b"orders ", "key: "),
    (b"orders user1 acks=1", "key: "),
    (b"orders acks=1", "key: "),
    (b"orders user1:x acks=2", "acks: '2'"),
    (b"orders user1:x acks=", "acks: ''"),
    (b"orders user1:x enc=x", "enc: 'x'"),
    (b"orders user1:x ts=now", "ts: 'now'"),
    (b"orders user1:x ts=-1", "ts: '-1'"),
    (b"orders user1:x ts=1_0", "ts: '1_0'"),
    (b"orders user1:x key=null", "key: 'user1'"),
    (b"orders :x key=no", "key: 'no'"),
    (b"orders user1:x null=1", "value: 'x'"),
    (b"orders user1: null=0", "null: '0'"),
    (b"orders user1:x acks=1 acks=1", "acks: it is there twice"),
    (b"orders user1:x ts=1 acks=1 TS=2", "ts: it is there twice"),
    (b"../evil user1:x", "topic: '../evil'"),
    (b"a/b user1:x", "topic: 'a/b'"),
    (b"a:b c:d", "topic: 'a:b'"),
    (b"__internal k:v", "topic: "),
    (b"t dXNlcjE=:%%% enc=b64", "value: '%%%'"),
    (b"t user1:dg== enc=b64", "key: 'user1'"),
    (b"t %:v enc=pct", "key: '%'"),
]

# The value is as short as it can be for the rest of the line to be nothing but options.
TAIL = re.compile(rb"(.*?)((?:[ \t]+(?:acks|enc|key|null|ts)=[^ \t]*)+[ \t]*)?", re.DOTALL | re.IGNORECASE)

blanks = st.sampled_from([b" ", b" ", b"  ", b"\t", b" \t", b""])
tail_words = st.sampled_from(
    b"acks=0 ACKS=1 acks=all acks=2 acks= acks ts=5 Ts=+07 ts=x key=null null=1 enc=pct enc= color=red x=ts=5 v a,b = \x0bts=5".split(
        b" "
    )
)
tails = st.lists(st.tuples(blanks, tail_words), max_size=5).map(
    lambda pairs: b"".join([gap + word for gap, word in pairs])
)


class Reading(SynchronousTestCase):
    """Lines → records."""

    def test_every_part_is_found(self) -> None:
        """The value is what lies between the first colon and the options, as it is."""
        for line, *fields in LINES:
            self.assertEqual(read_line(line), tuple(fields), line)

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field and its value."""
        for line, named in REFUSED:
            message = str(self.assertRaises(BadRequest, read_line, line))
            self.assertTrue(message.startswith(named), f"{line!r}: {message}")

    def test_a_refusal_stays_short(self) -> None:
        """A line of a megabyte is not quoted whole."""
        for line in (
            b"x" * (1 << 20),
            b"t " + b"x" * (1 << 20),
            b"t k:v acks=" + b"x" * (1 << 20),
            b"t k:" + b"%" * (1 << 20) + b" enc=b64",
        ):
            self.assertLess(len(str(self.assertRaises(BadRequest, read_line, line))), 300)

    @given(st.sampled_from([b"", b"k"]), tails)
    def test_options_are_all_that_stand_at_the_end(self, key: bytes, tail: bytes) -> None:
        """As one regular expression says it, too slow for long values."""
        match = TAIL.fullmatch(tail)
        assert match is not None
        pairs = [word.lower().split(b"=", 1) for word in re.split(rb"[ \t]+", match[2] or b"") if word]
        given = dict(pairs)
        no_key, no_value = b"key" in given, b"null" in given
        refused = (
            len(given) < len(pairs)
            or given.get(b"acks", b"1") not in (b"0", b"1", b"all")
            or given.get(b"enc", b"pct") != b"pct"
            or given.get(b"ts", b"5") not in (b"5", b"+07")
            or given.get(b"key", b"null") != b"null"
            or given.get(b"null", b"1") != b"1"
            or (no_key and key != b"")
            or (no_value and match[1] != b"")
        )
        line = b"t " + key + b":" + tail
        if refused:
            self.assertRaises(BadRequest, read_line, line)
        else:
            value = None if no_value else match[1]  # which holds no percent sign, so that enc=pct changes nothing
            timestamp_ms = int(given[b"ts"]) if b"ts" in given else None
            acks = Acks(given.get(b"acks", b"1").decode())
            self.assertEqual(read_line(line), ("t", None if no_key else key, value, acks, timestamp_ms))

    @given(st.one_of(st.binary(max_size=40), st.text(alphabet="t k:=\tackseny1%", max_size=30).map(str.encode)))
    def test_garbage_is_read_or_refused(self, line: bytes) -> None:
        """Nothing else ever comes of it."""
        try:
            self.assertIn(read_line(line)[0].encode(), line)
        except BadRequest as error:
            self.assertIn(": ", str(error))


class Options(SynchronousTestCase):
    """Where they begin."""

    def test_an_option_is_a_word_with_a_known_name(self) -> None:
        """Separated from what is before it, by any blank."""
        for text in (b"v acks=1", b" acks=1", b"v\tacks=1", b"a b\tTS=", b"a\tb enc=a=b"):
            self.assertTrue(ends_in_option(text), text)
        for text in (b"acks=1", b"", b"v acks=1 ", b"v acks", b"v =1", b"v more=1", b"v acks\xa0=1", b"v\x0backs=1"):
            self.assertFalse(ends_in_option(text), text)

    @given(
        st.text(alphabet="k :\t\r\né", max_size=6).map(str.encode),
        st.text(alphabet="v =\t\r\nts", max_size=10).map(str.encode),
    )
    @example(b"", b"")
    @example(b"k", b"a ts=1")
    @example(b"k", b"ts=1")
    def test_plain_is_what_comes_back_as_it_is(self, key: bytes, value: bytes) -> None:
        """Of everything that holds no line end, which has no place in a line."""
        line = b"t %b:%b acks=1" % (key, value)
        try:
            comes_back = read_line(line)[1:3] == (key, value)
        except BadRequest:
            comes_back = False
        no_line_end = b"\n" not in key + value and b"\r" not in key + value
        self.assertEqual(travels_plain(key, value), comes_back and no_line_end)
