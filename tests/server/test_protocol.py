"""One connection: lines, modes, endings."""

from twisted.internet.interfaces import IHalfCloseableDescriptor, IHalfCloseableProtocol, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from flux.interfaces import ISession
from flux.server.protocol import FluxProtocol
from tests.server.scene import Scene, Transport, shown


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(max_line_bytes=64)

    def test_it_keeps_its_promises(self) -> None:
        """A half-closeable push producer with a session."""
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.scene.protocol))
        self.assertTrue(verifyObject(IPushProducer, self.scene.protocol))
        self.assertTrue(verifyObject(ISession, self.scene.protocol.session))
        self.assertEqual(self.scene.protocol.session.peer, "192.168.1.1:54321")

    def test_chunks_may_be_cut_anywhere(self) -> None:
        """The same answers however the bytes arrive, LF or CR LF."""
        sent = b"V1|1|SAY|a\r\nV1|2|APPEND|now\n\nV1|3|say|b c\nnonsense\r\nV1|4|SAY|d\n"
        expected = [b"1 a", b"2 done=now", b"0 BAD_REQUEST", b"3 b c", b"0 BAD_REQUEST", b"4 d"]
        for cut in range(len(sent) + 1):
            scene = Scene()
            scene.send(sent[:cut])
            scene.send(sent[cut:])
            self.assertEqual(scene.answers(), expected, f"cut at {cut}")

    def test_bytes_may_arrive_one_by_one(self) -> None:
        """A line is a line when its end is there."""
        for byte in b"V1|1|SAY|a\nV1|2|SAY|b\n":
            self.scene.send(bytes([byte]))
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])

    def test_a_long_line_costs_its_length(self) -> None:
        """4 MiB in 65,536 pieces: searching or copying what is there with each piece would touch 128 GiB."""
        scene = Scene(max_line_bytes=5 << 20)
        scene.send(b"V1|1|SAY|")
        for _ in range(1 << 16):
            scene.send(b"x" * 64)
        scene.send(b"\n")
        self.assertEqual(len(scene.transport.value()), (4 << 20) + len(b"V1|1|OK|\n"))


class TooLongTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(max_line_bytes=64)

    def line(self, length: int) -> bytes:
        return b"V1|1|SAY|" + b"x" * (length - 9)

    def test_the_limit_itself_is_allowed(self) -> None:
        """max_line_bytes counts neither LF nor the CR before it; whole, in pieces, with either end."""
        for end in (b"\n", b"\r\n"):
            for pieces in ([self.line(64) + end], [self.line(64), end], [self.line(64) + end[:1], end[1:]]):
                scene = Scene(max_line_bytes=64)
                for piece in pieces:
                    scene.send(piece)
                self.assertEqual(scene.answers(), [b"1 " + b"x" * 55])
                self.assertFalse(scene.transport.disconnecting)

    def test_a_longer_line_is_refused_and_the_connection_closed(self) -> None:
        """In one piece or in many, ended or not."""
        for pieces in ([self.line(65) + b"\n"], [self.line(65)], [self.line(60), b"xxxxx\n"], [self.line(64), b"\rx"]):
            scene = Scene(max_line_bytes=64)
            for piece in pieces:
                scene.send(piece)
            self.assertIn(b"max_line_bytes, which is 64", scene.transport.value())
            self.assertEqual(scene.answers(), [b"0 MESSAGE_TOO_LARGE"])
            self.assertTrue(scene.transport.disconnecting)

    def test_what_was_before_is_answered_first(self) -> None:
        """The refusal keeps its place, and the connection stays until then."""
        self.scene.send(b"V1|1|HOLD|a\nV1|2|SAY|b\n" + self.line(65) + b"\n")
        self.assertEqual(self.scene.answers(), [])
        self.assertFalse(self.scene.transport.disconnecting)
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b", b"0 MESSAGE_TOO_LARGE"])
        self.assertTrue(self.scene.transport.disconnecting)

    def test_nothing_after_it_is_executed(self) -> None:
        """Neither what came in the same chunk nor what comes later."""
        self.scene.send(b"V1|1|SAY|a\n" + self.line(65) + b"\nV1|2|SAY|b\n")
        self.scene.send(b"V1|3|SAY|c\n")
        self.assertEqual(self.scene.answers(), [b"1 a", b"0 MESSAGE_TOO_LARGE"])
        self.assertEqual(self.scene.family.started, [b"a"])


@implementer(IHalfCloseableDescriptor)
class HalfTransport(Transport):
    """One whose sides close separately, as TCP's do."""

    write_closed = False

    def loseWriteConnection(self) -> None:
        self.write_closed = True

    def readConnectionLost(self, reason: object) -> None: ...

    def writeConnectionLost(self, reason: object) -> None: ...


class HalfCloseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(partial_line_timeout_ms=1000)

    def test_the_last_line_counts_without_its_end(self) -> None:
        """What a person pipes into nc need not end in a newline."""
        self.scene.send(b"V1|1|SAY|a\nV1|2|SAY|b")
        self.scene.protocol.readConnectionLost()
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])
        self.assertTrue(self.scene.transport.disconnecting)

    def test_what_is_outstanding_is_answered_before_the_connection_closes(self) -> None:
        """Ordered and overtakable requests alike."""
        self.scene.lines(b"1 HOLD a order=any", b"2 HOLD b", b"3 SAY c")
        self.scene.protocol.readConnectionLost()
        self.scene.family.release(b"b")
        self.assertEqual(self.scene.answers(), [b"2 b", b"3 c"])
        self.assertFalse(self.scene.transport.disconnecting)
        self.scene.family.release(b"a order=any")
        self.assertEqual(self.scene.answers(), [b"1 a order=any"])
        self.assertTrue(self.scene.transport.disconnecting)

    def test_nothing_outstanding_closes_at_once(self) -> None:
        """A client that has gone is forgotten."""
        self.scene.protocol.readConnectionLost()
        self.assertTrue(self.scene.transport.disconnecting)
        self.assertIsNone(self.scene.transport.producer)

    def test_a_refused_peer_can_read_the_refusal(self) -> None:
        """We close our side only and drop what still comes: a reset would overtake the answer. Its close ends it."""
        transport = HalfTransport()
        protocol = self.scene.connect(transport)
        protocol.dataReceived(b"x" * (2 << 20))
        protocol.dataReceived(b"x" * 100 + b"\nV1|1|SAY|a\n")
        self.assertTrue(transport.write_closed)
        self.assertEqual(transport.producerState, "producing")
        self.assertFalse(transport.disconnecting)
        self.assertEqual([shown(line) for line in transport.value().splitlines()], [b"0 MESSAGE_TOO_LARGE"])
        protocol.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_a_refused_peer_that_never_stops_sending_is_cut_off(self) -> None:
        """It gets as long as a line may take."""
        transport = HalfTransport()
        protocol = self.scene.connect(transport)
        protocol.dataReceived(b"x" * (2 << 20))
        self.scene.pass_time(1)
        self.assertFalse(transport.disconnected)
        self.scene.pass_time(0.5)
        self.assertTrue(transport.disconnected)


class ModeTests(SynchronousTestCase):
    """LineReceiver's contract."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.protocol = RawProtocol(self.scene.dispatch, self.scene.clock, self.scene.config)
        self.protocol.factory = self.scene.factory
        self.protocol.makeConnection(self.scene.transport)

    def test_raw_mode_takes_everything(self) -> None:
        """No line is looked for in it."""
        self.protocol.setRawMode()
        self.protocol.dataReceived(b"V1|1|SAY|a\nmore")
        self.assertEqual(self.protocol.raw, [b"V1|1|SAY|a\nmore"])
        self.assertEqual(self.scene.answers(), [])

    def test_line_mode_takes_up_what_raw_mode_left(self) -> None:
        """setLineMode(extra) reads extra as lines, and what comes after."""
        self.protocol.setRawMode()
        self.protocol.back_after = b"END"
        self.protocol.dataReceived(b"rawENDV1|1|SAY|a\nV1|2|SA")
        self.protocol.dataReceived(b"Y|b\n")
        self.assertEqual(self.protocol.raw, [b"raw"])
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])

    def test_the_line_begun_goes_raw_with_the_mode(self) -> None:
        """A mode changed while lines are handed over holds for the rest of the chunk."""
        self.protocol.raw_when = b"UPGRADE"
        self.protocol.dataReceived(b"V1|1|SAY|a\nUPGRADE\n\0\1\2")
        self.protocol.dataReceived(b"\3\n")
        self.assertEqual(self.protocol.raw, [b"\0\1\2", b"\3\n"])

    def test_clear_line_buffer_gives_up_the_line_begun(self) -> None:
        """It is returned, and forgotten."""
        self.protocol.dataReceived(b"V1|1|SAY|a\nV1|2|S")
        self.assertEqual(self.protocol.clearLineBuffer(), b"V1|2|S")
        self.protocol.dataReceived(b"V1|3|SAY|c\n")
        self.assertEqual(self.scene.answers(), [b"1 a", b"3 c"])


class RawProtocol(FluxProtocol):
    """Changes its mode when told to."""

    raw_when = back_after = b"never"

    def connectionMade(self) -> None:
        self.transport.unregisterProducer()  # the scene's own connection had it
        self.raw: list[bytes] = []
        super().connectionMade()

    def linesReceived(self, lines: list[bytes], size: int) -> None:
        if self.raw_when in lines:
            self.setRawMode()
        else:
            super().linesReceived(lines, size)

    def rawDataReceived(self, data: bytes) -> None:
        before, end, after = data.partition(self.back_after)
        self.raw.append(before)
        if end:
            self.setLineMode(after)
