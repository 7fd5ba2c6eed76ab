"""The log of a process as lines."""

import json
from io import StringIO
from typing import Any

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from flux.logs import LEVELS, observer


class LogTests(SynchronousTestCase):
    def written(
        self, format: str, level: str = "info", message: str = "{tp} leads from epoch {epoch}", **fields: Any
    ) -> str:
        """What one warning becomes."""
        stream = StringIO()
        log = Logger(namespace="flux.x", observer=LogPublisher(observer(stream, format, level)))
        log.emit(LogLevel.warn, message, **({"tp": "orders-2", "epoch": 7} | fields))
        return stream.getvalue()

    def failed(self, format: str) -> str:
        stream = StringIO()
        log = Logger(namespace="flux.x", observer=LogPublisher(observer(stream, format, "info")))
        log.failure("it broke", Failure(ValueError("first\nsecond")))
        return stream.getvalue()


class TextTests(LogTests):
    def test_an_event_is_one_line(self) -> None:
        """Time, source, level, sentence."""
        self.assertRegex(
            self.written("text"), r"\A\d{4}-\d\d-\d\dT[\d:]{8}\S* \[flux\.x#warn\] orders-2 leads from epoch 7\n\Z"
        )

    def test_a_field_cannot_forge_a_line(self) -> None:
        """A line break is indented, other control characters are shown, not sent to the terminal."""
        text = self.written("text", tp="a\r\n2026-01-01 forged\x1b[2J\x9b")
        self.assertEqual(text.count("\n"), 2)
        self.assertIn("a\\x0d\n    2026-01-01 forged\\x1b[2J\\x9b leads", text)

    def test_a_failure_brings_its_traceback(self) -> None:
        """Indented, below its sentence."""
        lines = self.failed("text").splitlines()
        self.assertIn("[flux.x#critical] it broke", lines[0])
        self.assertIn("    Failure: builtins.ValueError: first", lines)
        self.assertEqual([line for line in lines[1:] if not line.startswith("    ")], [])


class JsonTests(LogTests):
    def test_an_event_is_one_object(self) -> None:
        """The sentence, and the fields it was made of, as they were."""
        line = json.loads(self.written("json"))
        self.assertIsInstance(line.pop("time"), float)
        self.assertEqual(
            line,
            {
                "level": "warn",
                "source": "flux.x",
                "message": "orders-2 leads from epoch 7",
                "tp": "orders-2",
                "epoch": 7,
            },
        )

    def test_a_field_cannot_forge_a_line(self) -> None:
        """Whatever it holds, and whatever it is called."""
        text = self.written("json", tp="a\n{}", level="debug", thing=object)
        self.assertEqual(text.count("\n"), 1)
        line = json.loads(text)
        self.assertEqual((line["level"], line["tp"], line["thing"]), ("warn", "a\n{}", "<class 'object'>"))

    def test_a_failure_brings_its_traceback(self) -> None:
        """In a field of its own."""
        line = json.loads(self.failed("json"))
        self.assertEqual((line["level"], line["message"]), ("critical", "it broke"))
        self.assertIn("ValueError: first\nsecond", line["traceback"])


class LevelTests(LogTests):
    def test_lower_levels_are_left_out(self) -> None:
        """A warning passes at debug, info and warn only."""
        passing = [level for level in LEVELS if self.written("text", level)]
        self.assertEqual(passing, ["debug", "info", "warn"])

    def test_an_event_without_words_is_left_out(self) -> None:
        """No line, rather than an empty one."""
        self.assertEqual(self.written("text", message=""), "")
        self.assertEqual(self.written("json", message=""), "")
