"""Every setting as its reader and its documentation see it."""

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.model import FsyncMode
from flux.settings import ALL, BY_NAME, BY_VARIABLE, TABLES, enumerated, listing

PROMISED = [
    "FLUX_LISTEN_ADDR",
    "FLUX_DATA_DIR",
    "FLUX_NUM_PARTITIONS",
    "FLUX_REPLICATION_FACTOR",
    "FLUX_MIN_ISR",
    "FLUX_REPLICA_MAX_LAG",
    "FLUX_REPLICA_LAG_TIMEOUT_MS",
    "FLUX_ACK_ALL_TIMEOUT_MS",
    "FLUX_SEGMENT_MAX_BYTES",
    "FLUX_RETENTION_MAX_BYTES",
    "FLUX_RETENTION_MAX_AGE_SECONDS",
    "FLUX_FLUSH_INTERVAL_MS",
    "FLUX_FLUSH_BYTES",
    "FLUX_FSYNC_MODE",
    "FLUX_BROKER_ID",
    "FLUX_ADVERTISED_HOST",
    "FLUX_ADVERTISED_PORT",
    "FLUX_AUTO_CREATE_TOPICS",
    "FLUX_SESSION_TIMEOUT_MS",
    "FLUX_MAX_LINE_BYTES",
]


class CatalogueTests(SynchronousTestCase):
    def test_names_and_variables_are_unique(self) -> None:
        """``--set name=value`` names no table, so two rooms may not share a name."""
        self.assertEqual(len(BY_NAME), len(ALL))
        self.assertEqual(len(BY_VARIABLE), len(ALL))
        self.assertEqual(TABLES, ("server", "storage", "replication", "group", "cluster", "alerts"))

    def test_the_variables_people_rely_on_are_there(self) -> None:
        """These names are in scripts and unit files; they do not change."""
        self.assertEqual([name for name in PROMISED if name not in BY_VARIABLE], [])

    def test_every_default_is_allowed(self) -> None:
        """The default, written as text, reads back as itself."""
        for setting in ALL:
            self.assertEqual(setting.read(setting.shown_default()), setting.default, setting.name)

    def test_every_setting_has_its_sentence(self) -> None:
        """A sentence, and words for what is allowed."""
        for setting in ALL:
            self.assertTrue(setting.help.endswith("."), setting.name)
            self.assertTrue(setting.allowed, setting.name)

    def test_the_listing_names_every_setting_and_variable(self) -> None:
        """What ``--help-settings`` prints."""
        text = listing()
        for setting in ALL:
            self.assertIn(f"  {setting.name}={setting.shown_default()}  ({setting.variable})\n", text)
            self.assertIn(setting.help, text)


class DocumentationTests(SynchronousTestCase):
    def test_every_table_is_in_the_documentation(self) -> None:
        """The page names the tables; what is in them is made from the code when it is built."""
        page = (Path(__file__).parents[1] / "docs" / "configuration.rst").read_text(encoding="utf-8")
        self.assertEqual(tuple(re.findall(r"^\.\. settings:: (\w+)$", page, re.MULTILINE)), TABLES)


class ReadingTests(SynchronousTestCase):
    def assert_reads(self, name: str, value: Any, expected: Any) -> None:
        read = BY_NAME[name].read(value)
        self.assertEqual((read, type(read)), (expected, type(expected)))

    def assert_refuses(self, name: str, *values: Any) -> None:
        for value in values:
            with self.assertRaises(ValueError, msg=f"{name}={value!r}"):
                BY_NAME[name].read(value)

    def test_a_number_is_whole_and_within_its_bounds(self) -> None:
        """As text or as TOML's integer; a boolean is no number, nor is text in a TOML string that is none."""
        self.assert_reads("flush_bytes", "1", 1)
        self.assert_reads("flush_bytes", 1, 1)
        self.assert_reads("retention_max_bytes", "-1", -1)
        self.assert_refuses("flush_bytes", "0", 0, "1.5", 1.5, "", "ten", True, None, [1], 1 << 63, str(1 << 63))
        self.assert_refuses("advertised_port", 65536)

    def test_a_boolean_is_one_of_a_few_words(self) -> None:
        """Any case; TOML's own too."""
        for word in ("true", "Yes", "on", "1", True):
            self.assert_reads("auto_create_topics", word, True)
        for word in ("false", "NO", "off", "0", False):
            self.assert_reads("auto_create_topics", word, False)
        self.assert_refuses("auto_create_topics", "", "maybe", "2", 1, None)

    def test_a_choice_is_one_of_its_words(self) -> None:
        """Any case."""
        self.assert_reads("fsync_mode", "Interval", FsyncMode.INTERVAL)
        self.assert_refuses("fsync_mode", "", "sometimes", 1, True)
        self.assertEqual(BY_NAME["fsync_mode"].allowed, "always, interval or never")

    def test_a_list_is_words_or_an_array(self) -> None:
        """Blanks separate words in a variable; an array's items may hold blanks."""
        self.assert_reads("endpoints", " tcp:1  unix:/x ", ("tcp:1", "unix:/x"))
        self.assert_reads("endpoints", ["unix:/a b"], ("unix:/a b",))
        self.assert_refuses("endpoints", 1, [1], {"tcp": 1}, None)

    def test_text_is_checked(self) -> None:
        """No empty path, no NUL, and addresses that are such."""
        self.assert_reads("data_dir", "/srv/flux", "/srv/flux")
        self.assert_refuses("data_dir", "", "a\0b", 7)
        self.assert_reads("listen_addr", "0.0.0.0:1", "0.0.0.0:1")
        self.assert_refuses("listen_addr", "9092", 9092)
        self.assert_reads("alert_webhook_url", "", "")
        self.assert_reads("alert_webhook_url", "https://h/p?key=1", "https://h/p?key=1")
        self.assert_refuses("alert_webhook_url", "h", "ftp://h/", 7)


class EnumeratedTests(SynchronousTestCase):
    def test_words_are_enumerated_as_in_a_sentence(self) -> None:
        """One, two, three."""
        self.assertEqual(enumerated(["a"], "or"), "a")
        self.assertEqual(enumerated(["a", "b"], "or"), "a or b")
        self.assertEqual(enumerated(["a", "b", "c"], "and"), "a, b and c")
