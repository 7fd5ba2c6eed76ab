"""Frames: lines to runs of requests, replies to lines and back."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest
from flux.wire.v1 import (
    MAX_CUT,
    MAX_MESSAGE,
    ErrReply,
    Lines,
    OkReply,
    cut,
    error_line,
    ok_line,
    parse_reply,
    request_line,
)

FRAMES = [
    # line, command, correlation id, arguments
    (b"V1|1|PING|", "PING", b"1", b""),
    (b"V1|1|PING|\r", "PING", b"1", b""),
    (b"V1|1|produce|orders user1:a", "PRODUCE", b"1", b"orders user1:a"),
    (b"  V1 | 2 |  ConSume  |   orders    2\t0   ", "CONSUME", b"2", b"orders    2\t0"),
    (b"\tV1\t|\t2\t|\tPING\t|\t\r", "PING", b"2", b""),
    ("V1|abc-é x|CONSUME|orders +2 00".encode(), "CONSUME", "abc-é x".encode(), b"orders +2 00"),
    (b"V1| 2\t|PING|x", "PING", b"2", b"x"),
    (b"V1|2|PING| x", "PING", b"2", b"x"),
    (b"V1|1|PRODUCE|t user1:a|b|c", "PRODUCE", b"1", b"t user1:a|b|c"),
    (b"V1|1|PRODUCE|t user1:a||", "PRODUCE", b"1", b"t user1:a||"),
    (b"V1|1|PRODUCE||", "PRODUCE", b"1", b"|"),
    (b"V1|1|PRODUCE|t k:v\r\r", "PRODUCE", b"1", b"t k:v\r"),  # one CR belongs to the line end
    (b"V1|1|PRODUCE|t k:v\x0b\x0c", "PRODUCE", b"1", b"t k:v\x0b\x0c"),  # white space, but no blanks
    (b"V1|\x0b|PING|", "PING", b"\x0b", b""),
    (b"V1|\xff|\xffx|\x00\xff", "\\xffX", b"\xff", b"\x00\xff"),
    ("V1|1|ß|".encode(), "ß", b"1", b""),
]
NO_FRAMES = [
    # line, what its answer names
    (b"", b"frame"),
    (b"\r", b"frame"),
    (b"   ", b"frame"),
    (b"hello", b"'hello' has 1 of 4 parts"),
    (b"V1|1|PRODUCE", b"has 3 of 4 parts"),
    (b"V2|1|PRODUCE|orders k:v", b"version: 'V2'"),
    (b"v1|1|OFFSET|g orders 0", b"version: 'v1'"),
    (b"|1|PING|", b"version: ''"),
    (b"V1||PING|", b"correlation id"),
    (b"V1|  |PING|", b"correlation id"),
    (b"V1|7||x", b"command"),
    (b"V1|7| \t|", b"command"),
    (b"\x00\x16\x03", b"has 1 of 4 parts"),
]

parts = st.one_of(
    st.sampled_from(
        [b"V1", b"v1", b" V1", b"", b" ", b"\t", b"1", b"12", b"PRODUCE", b"produce ", b"PING", b"CONSUME"]
    ),
    st.text(alphabet="V1 \tpingPING\r\x0b=:é", max_size=8).map(str.encode),
    st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"").replace(b"|", b"")),
)
good_lines = st.builds(
    lambda correlation_id, command, text: b"V1|%d|%b|%b" % (correlation_id, command, text),
    st.integers(0, 99),
    st.sampled_from([b"PRODUCE", b"PRODUCE", b"produce", b"PING"]),
    st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")),
)
some_lines = st.lists(st.one_of(good_lines, good_lines, st.lists(parts, max_size=6).map(b"|".join)), max_size=30)


def read(line: bytes) -> tuple[str, bytes, bytes]:
    """The frame as the protocol's page words it; without a command if it is none."""
    if line.endswith(b"\r"):
        line = line[:-1]
    fields = [field.strip(b" \t") for field in line.strip(b" \t").split(b"|", 3)]
    if len(fields) < 4 or fields[0] != b"V1" or not fields[1] or not fields[2]:
        return "", b"0", b""
    return fields[2].upper().decode("utf-8", "backslashreplace"), fields[1], fields[3]


def flat(runs: list[Lines]) -> list[tuple[str, bytes, bytes]]:
    """The requests of *runs*, one by one; reasons are left out."""
    return [
        (run.command, correlation_id, text if run.command else b"")
        for run in runs
        for correlation_id, text in zip(run.correlation_ids, run.arguments, strict=True)
    ]


class Cutting(SynchronousTestCase):
    """Lines → runs."""

    def test_frames_are_read(self) -> None:
        """One CR goes, every part is trimmed, further pipes are arguments, commands ignore case."""
        for line, command, correlation_id, arguments in FRAMES:
            self.assertEqual(cut([line]), [Lines(command, [correlation_id], [arguments])], line)
            # and so they are behind a usual line, and once more behind themselves
            self.assertEqual(
                flat(cut([b"V1|1|PING|x", line, line])),
                [("PING", b"1", b"x"), *[(command, correlation_id, arguments)] * 2],
                line,
            )

    def test_what_is_no_frame_says_why(self) -> None:
        """Under id 0, naming the part that is wrong and what to write."""
        for line, named in NO_FRAMES:
            (run,) = cut([line])
            self.assertEqual((run.command, run.correlation_ids), ("", [b"0"]), line)
            self.assertIn(named, run.arguments[0])
            self.assertIn(b"V1|<correlation id>|<command>|<arguments>", run.arguments[0])
            for usual in (b"V1|1|PING|x", b"V1|1|PRODUCE|x"):
                self.assertEqual(cut([usual, line])[1:], [run], line)

    def test_a_reason_stays_short(self) -> None:
        """A line of a megabyte is not quoted whole."""
        for line in (b"x" * (1 << 20), b"y" * (1 << 20) + b"|1|PING|", b"\x00" * (1 << 20)):
            self.assertLess(len(cut([line])[0].arguments[0]), 500)

    def test_consecutive_requests_of_one_command_are_one_run(self) -> None:
        """However they spell it; unreadable lines are runs of their own."""
        lines = [b"V1|1|PRODUCE|a", b"V1|2|produce|b", b"V1|3|PRODUCE|c", b"x", b"", b"V1|4|PRODUCE|d", b"V1|5|PING|"]
        self.assertEqual(
            [(run.command, run.correlation_ids) for run in cut(lines)],
            [("PRODUCE", [b"1", b"2", b"3"]), ("", [b"0", b"0"]), ("PRODUCE", [b"4"]), ("PING", [b"5"])],
        )

    def test_a_line_without_a_command_joins_no_run(self) -> None:
        """Neither at the start nor behind others of its kind."""
        self.assertEqual(
            [run.command for run in cut([b"V1|1||a", b"V1|2||b", b"V1|3|PING|", b"V1|4||c"])], ["", "PING", ""]
        )

    def test_a_long_run_is_split(self) -> None:
        """No run is longer than what one pass may hold."""
        lines = [b"V1|%d|PRODUCE|t k:v" % number for number in range(2 * MAX_CUT + 3)]
        runs = cut(lines)
        self.assertEqual([len(run.arguments) for run in runs], [MAX_CUT, MAX_CUT, 3])
        self.assertEqual(flat(runs), [read(line) for line in lines])

    def test_a_command_of_any_length_leaves_nothing_in_memory(self) -> None:
        """Names are remembered, but not those as long as a line may be."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(16):
            (run,) = cut([b"V1|1|%d%b|" % (number, b"x" * (1 << 20))])
            self.assertEqual(len(run.command), len(str(number)) + (1 << 20))
            del run
        self.assertLess(tracemalloc.get_traced_memory()[0], 1 << 20)

    def test_no_lines_are_no_runs(self) -> None:
        """An empty chunk asks nothing."""
        self.assertEqual(cut([]), [])

    @given(some_lines)
    def test_any_lines_are_read_as_the_page_says(self, lines: list[bytes]) -> None:
        """What is read without a call is read as everything is, and neighbouring runs differ."""
        runs = cut(lines)
        self.assertEqual(flat(runs), [read(line) for line in lines])
        self.assertTrue(all(before.command != after.command for before, after in pairwise(runs)))
        self.assertTrue(all(reason for run in runs if not run.command for reason in run.arguments))

    @given(some_lines, st.integers(0, 30))
    def test_chunks_do_not_matter(self, lines: list[bytes], at: int) -> None:
        """Two chunks hold the requests that one holds."""
        self.assertEqual(flat(cut(lines[:at]) + cut(lines[at:])), flat(cut(lines)))


class Replying(SynchronousTestCase):
    """Answers ↔ lines."""

    def test_lines_are_what_deployed_clients_read(self) -> None:
        """Byte for byte."""
        self.assertEqual(ok_line(b"7", b"pong=true"), b"V1|7|OK|pong=true\n")
        self.assertEqual(error_line(b"7", "BAD_REQUEST", "offset: no"), b"V1|7|ERR|BAD_REQUEST|offset: no\n")

    def test_an_error_is_one_line(self) -> None:
        """Line ends in a message become blanks; what UTF-8 cannot say is escaped."""
        self.assertEqual(error_line(b"1", "X", "a\r\nb\nc\rd"), b"V1|1|ERR|X|a  b c d\n")
        self.assertEqual(error_line(b"1", "X", "é\udcff"), "V1|1|ERR|X|é\\udcff\n".encode())

    def test_an_error_is_a_short_line(self) -> None:
        """A message that repeats what was sent is cut, with a sign that it was."""
        reply = parse_reply(error_line(b"1", "X", "m" * (MAX_MESSAGE + 1)))
        self.assertEqual(reply, ErrReply(b"1", "X", "m" * (MAX_MESSAGE - 1) + "…"))
        self.assertEqual(parse_reply(error_line(b"1", "X", "m" * MAX_MESSAGE)), ErrReply(b"1", "X", "m" * MAX_MESSAGE))

    def test_replies_are_read(self) -> None:
        """With any line end; the payload is not touched."""
        for line, reply in [
            (b"V1|1|OK|pong=true", OkReply(b"1", b"pong=true")),
            (b"V1|1|OK|pong=true\n", OkReply(b"1", b"pong=true")),
            (b"V1|1|OK|pong=true\r\n", OkReply(b"1", b"pong=true")),
            (b"V1|a b|OK|messages=0: a|b  hw=0", OkReply(b"a b", b"messages=0: a|b  hw=0")),
            (b"V1|1|OK|", OkReply(b"1", b"")),
            (b"V1|1|ERR|NOT_LEADER|go to 2|3", ErrReply(b"1", "NOT_LEADER", "go to 2|3")),
            (b"V1|1|ERR|NOT_LEADER", ErrReply(b"1", "NOT_LEADER", "")),
            (b"V1|1|ERR|\xff|\xff", ErrReply(b"1", "�", "�")),
        ]:
            self.assertEqual(parse_reply(line), reply, line)

    def test_what_is_no_reply_is_refused(self) -> None:
        """By name, whatever it is."""
        for line in (
            b"",
            b"\n",
            b"V1|1|OK",
            b"V2|1|OK|",
            b"V1||OK|",
            b"V1|1|ok|",
            b"V1|1|PING|",
            b"HTTP/1.1 400 Bad Request",
        ):
            self.assertIn("reply: ", str(self.assertRaises(BadRequest, parse_reply, line)))

    @given(st.binary(max_size=40))
    def test_garbage_is_a_reply_or_a_bad_one(self, line: bytes) -> None:
        """Nothing else ever comes of it."""
        try:
            self.assertIn(type(parse_reply(line)), (OkReply, ErrReply))
        except BadRequest as error:
            self.assertIn("reply: ", str(error))


class Requesting(SynchronousTestCase):
    """What clients send."""

    def test_a_request_is_cut_as_it_was_meant(self) -> None:
        """Byte for byte, and back."""
        self.assertEqual(request_line(b"1", "PING", b""), b"V1|1|PING|\n")
        line = request_line(b"a b", "PRODUCE", b"t k:a|b acks=1")
        self.assertEqual(line, b"V1|a b|PRODUCE|t k:a|b acks=1\n")
        self.assertEqual(cut([line[:-1]]), [Lines("PRODUCE", [b"a b"], [b"t k:a|b acks=1"])])

    def test_what_would_be_read_otherwise_is_refused(self) -> None:
        """Line ends anywhere; pipes, blanks around and nothing at all in id and command."""
        for correlation_id, command, arguments, named in [
            (b"", "PING", b"", "correlation id"),
            (b" 1", "PING", b"", "correlation id"),
            (b"1|2", "PING", b"", "correlation id"),
            (b"1", "", b"", "command"),
            (b"1", "PING\t", b"", "command"),
            (b"1", "PI|NG", b"", "command"),
            (b"1\n", "PING", b"", "frame"),
            (b"1", "PI\nNG", b"", "frame"),
            (b"1", "PRODUCE", b"t k:a\nV1|2|PING|", "frame"),
            (b"1", "PRODUCE", b"t k:a\r acks=1", "frame"),
        ]:
            error = self.assertRaises(BadRequest, request_line, correlation_id, command, arguments)
            self.assertTrue(str(error).startswith(named), str(error))
