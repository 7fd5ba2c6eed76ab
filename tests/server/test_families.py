"""Plugins → the table of commands: found, checked, bound."""

import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, cast

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.interfaces import ICommandFamily
from flux.server.families import DuplicateCommand, bind, load
from tests.server.scene import Append, Hold, Say, TestFamily

_PREAMBLE = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from flux.interfaces import ICommandFamily

@implementer(ICommandFamily)
class Family:
    name = "third party"
    def bind(self, broker):
        return {}
"""


class LoadTests(SynchronousTestCase):
    """Each test has a plugin package of its own, with drop-ins it writes."""

    def package(self, **drop_ins: str) -> ModuleType:
        name = f"plugins_of_{self.id().rpartition('.')[2]}"
        directory = os.path.join(self.mktemp(), name)
        os.makedirs(directory)
        for drop_in, source in {"__init__": "", **drop_ins}.items():
            with open(os.path.join(directory, drop_in + ".py"), "w") as file:
                file.write(source)
        sys.path.insert(0, os.path.dirname(os.path.abspath(directory)))
        self.addCleanup(sys.path.remove, os.path.dirname(os.path.abspath(directory)))
        self.addCleanup(lambda: [sys.modules.pop(known) for known in list(sys.modules) if known.startswith(name)])
        return __import__(name)

    def errors_while(self, function: Callable[[], Any]) -> tuple[Any, list[str]]:
        """What *function* returns, and the sentences our own code logged at level error."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        result = function()
        return result, [
            event["log_format"].format(**event)
            for event in events
            if event["log_level"].name == "error" and event["log_namespace"].startswith("flux.")
        ]

    def test_a_drop_in_is_found(self) -> None:
        """Every object in it that is a family."""
        package = self.package(good=_PREAMBLE + "one = Family()\ntwo = Family()\nnothing = 3\n")
        self.assertEqual([family.name for family in load(package)], ["third party", "third party"])

    def test_one_object_is_one_family(self) -> None:
        """Under however many names, in however many drop-ins."""
        package = self.package(
            good=_PREAMBLE + "family = again = Family()\n",
            other=f"from plugins_of_{self.id().rpartition('.')[2]}.good import family\n",
        )
        self.assertEqual(len(load(package)), 1)

    def test_a_drop_in_that_cannot_be_imported_is_reported(self) -> None:
        """By name and reason; the others are there."""
        package = self.package(good=_PREAMBLE + "family = Family()\n", broken="import there_is_no_such_module\n")
        families, errors = self.errors_while(lambda: load(package))
        self.assertEqual(len(families), 1)
        self.assertEqual(len(errors), 1)
        self.assertRegex(errors[0], r"drop-in \w+\.broken cannot be imported.*there_is_no_such_module")
        self.flushLoggedErrors(ModuleNotFoundError)

    def test_a_family_that_lies_is_reported(self) -> None:
        """It claims the interface and lacks a method, or takes other arguments, or has no name."""
        package = self.package(
            good=_PREAMBLE + "family = Family()\n",
            liar=_PREAMBLE + "del Family.bind\nliar = Family()\n",
            other=_PREAMBLE + "Family.bind = lambda self: {}\nliar = Family()\n",
            nameless=_PREAMBLE + "Family.name = ''\nliar = Family()\n",
        )
        families, errors = self.errors_while(lambda: load(package))
        self.assertEqual(len(families), 1)
        self.assertEqual(len(errors), 3)
        for error in errors:
            self.assertIn(".Family is no ICommandFamily; the broker starts without it", error)


@implementer(ICommandFamily, IPlugin)
class Other:
    """Binds what it is given."""

    def __init__(self, name: str, bound: Mapping[Any, Any] | Exception) -> None:
        self.name = name
        self._bound = bound

    def bind(self, broker: Any) -> Any:
        if isinstance(self._bound, Exception):
            raise self._bound
        return self._bound


class Rival(Say):
    """Claims SAY too."""


class Spoken(Say):
    """No command: it is in lower case."""

    COMMAND = "spoken"


class BindTests(SynchronousTestCase):
    def bind(self, *families: Any) -> dict[str, Any]:
        return dict(bind(families, None))  # type: ignore[arg-type]  # families that ask for no broker

    def test_the_table_has_every_command(self) -> None:
        """Who answers it, and how: one by one or in runs, which may overlap."""
        table = self.bind(TestFamily(), Other("other", {}))
        self.assertEqual(sorted(table), ["APPEND", "BIG", "FAIL", "HOLD", "SAY", "SLEEP", "STORE"])
        self.assertIs(table["HOLD"].request, Hold)
        self.assertEqual(
            [(table[name].is_run, table[name].overlaps) for name in ("HOLD", "APPEND")], [(False, False), (True, True)]
        )

    def test_a_run_overlaps_only_if_it_says_so(self) -> None:
        """OVERLAPS is a promise of the family's."""

        class Strict(Append):
            COMMAND = "STRICT"
            OVERLAPS = False

        self.assertFalse(self.bind(Other("other", {Strict: print}))["STRICT"].overlaps)

    def test_a_command_claimed_twice_is_refused_naming_both(self) -> None:
        """The broker does not choose."""
        with self.assertRaises(DuplicateCommand) as caught:
            self.bind(TestFamily(), Other("rival", {Rival: print}))
        self.assertRegex(str(caught.exception), r"command SAY .* test \(.*\.Say\) and rival \(.*\.Rival\); remove one")

    def test_a_family_that_cannot_be_bound_is_left_out_whole(self) -> None:
        """Because it raises, or because something it binds is no command; the others are bound."""
        for fault in (
            ZeroDivisionError(),
            {Say: print, Spoken: print},
            {Say: print, int: print},
            {Say: "not a function"},
            {Say: print, Rival: print},
        ):
            table = self.bind(Other("broken", fault), Other("good", {Hold: print}))
            self.assertEqual(list(table), ["HOLD"])
            self.assertEqual(len(self.flushLoggedErrors()), 1)
