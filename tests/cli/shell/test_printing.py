"""Answers as tables, as columns and as JSON."""

import json

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.shell.printing import Fields, Form, Printer, Rows, cell, printer_option

DOCUMENT = [{"topic": "orders", "records": 120}, {"topic": "événements", "records": 7}]
ROWS = Rows(["topic", "records"], [["orders", 120], ["événements", 7]])


def printed(form: Form, *parts: Rows | Fields, document: object = DOCUMENT) -> str:
    @click.command
    def command() -> None:
        Printer(form).report(document, *parts)

    return CliRunner().invoke(command, catch_exceptions=False).stdout


class PrintingTests(SynchronousTestCase):
    def test_a_table_has_a_head_and_numbers_to_the_right(self) -> None:
        """No blanks at the ends of lines."""
        self.assertEqual(
            printed(Form.TABLE, ROWS),
            "TOPIC       RECORDS\n"  #
            "orders          120\n"
            "événements        7\n",
        )

    def test_columns_in_a_pipe_are_tabs_apart(self) -> None:
        """Without a head: what comes next wants nothing but data."""
        self.assertEqual(printed(Form.PLAIN, ROWS), "orders\t120\névénements\t7\n")

    def test_json_is_one_document(self) -> None:
        """Readable, and not escaped more than JSON must be."""
        text = printed(Form.JSON, ROWS)
        self.assertEqual(json.loads(text), DOCUMENT)
        self.assertIn("événements", text)

    def test_an_answer_may_have_parts(self) -> None:
        """An empty line between them; what is known of one thing is a name and a value a line."""
        parts = Fields({"topic": "orders", "replication factor": 1}), Rows(["isr"], [[[0, 1]]])
        self.assertEqual(
            printed(Form.TABLE, *parts), "topic:               orders\nreplication factor:  1\n\nISR\n0,1\n"
        )
        self.assertEqual(printed(Form.PLAIN, *parts), "topic\torders\nreplication factor\t1\n\n0,1\n")

    def test_a_name_that_is_not_utf_8_is_escaped(self) -> None:
        """It reads as the same name; nothing else is escaped for its sake elsewhere."""
        document = {"group": "g\udcff"}
        self.assertEqual(json.loads(printed(Form.JSON, document=document)), document)

    def test_nothing_prints_as_a_head_or_as_nothing(self) -> None:
        """A person is told that the table is empty; a pipe gets no line, and a program an empty list."""
        nothing = Rows(["topic", "records"], [])
        self.assertEqual(printed(Form.TABLE, nothing), "TOPIC  RECORDS\n")
        self.assertEqual(printed(Form.PLAIN, nothing), "")
        self.assertEqual(printed(Form.JSON, nothing, document=[]), "[]\n")

    def test_a_cell_stays_in_its_column(self) -> None:
        """Whatever it holds, and no terminal obeys it."""
        for value, text in (
            (None, "-"),
            (True, "yes"),
            (False, "no"),
            ([], "-"),
            ([2, 0], "2,0"),
            (1.5, "1.5"),
            ("a\tb\nc", "a\\tb\\nc"),
            ("\x1b[2J", "\\x1b[2J"),
            ("grün", "grün"),
        ):
            self.assertEqual(cell(value), text)

    def test_a_stream_is_a_line_an_item(self) -> None:
        """As JSON lines, or with tabs."""

        @click.command
        @printer_option
        def command(printer: Printer) -> None:
            printer.line({"partition": 2, "key": "é"})
            printer.line({"partition": 0, "key": None})

        for arguments, text in (
            ([], "2\té\n0\t-\n"),
            (["--format", "json"], '{"partition":2,"key":"é"}\n{"partition":0,"key":null}\n'),
        ):
            self.assertEqual(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout, text)
