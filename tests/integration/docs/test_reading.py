"""Whoever reads pages finds what is wrong with them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux.loading import BadSetting
from tests.integration.docs.pages import Block, blocks
from tests.integration.docs.reader import ROOT, Reader
from tests.integration.docs.transcripts import Exchange, agrees, exchanges, shown_by_comments

RST = """\
Text::

    $ not a block

.. code-block:: console

   $ one
     two

   three

More text.

.. code-block:: toml
   :caption: flux.toml

   [server]
"""

MARKDOWN = """\
Text:

    $ one
    two

    three

and more

    not a terminal

```python
if one:
    two
```
"""


def test_blocks_of_restructuredtext(tmp_path: Path) -> None:
    """With their kinds, captions and lines; what is only literal is none."""
    (tmp_path / "page.rst").write_text(RST)
    assert blocks(tmp_path / "page.rst") == [
        Block(6, "console", None, "$ one\n  two\n\nthree"),
        Block(16, "toml", "flux.toml", "[server]"),
    ]


def test_blocks_of_markdown(tmp_path: Path) -> None:
    """Fenced or indented."""
    (tmp_path / "page.md").write_text(MARKDOWN)
    assert blocks(tmp_path / "page.md") == [
        Block(3, "console", None, "$ one\ntwo\n\nthree"),
        Block(10, "text", None, "not a terminal"),
        Block(13, "python", None, "if one:\n    two"),
    ]


def test_commands_and_what_they_print() -> None:
    """Commands may be of several lines."""
    text = "$ one\nprinted\n\n> printed too\n$ two \\\n    three\n$ four <<END\n> five\n> END\nprinted"
    assert list(exchanges(text)) == [
        Exchange("one", "printed\n\n> printed too"),
        Exchange("two \\\n    three", ""),
        Exchange("four <<END\nfive\nEND", "printed"),
    ]
    assert list(exchanges("$ one\nprinted\n^C\nagain")) == [Exchange("one", "printed\nagain", interrupted=True)]


@pytest.mark.parametrize(
    ("command", "serving"),
    [
        ("flux serve --port 9092", "flux serve --port 9092"),
        ("pip install . && .venv/bin/twistd -n flux --port 9092", ".venv/bin/twistd -n flux --port 9092"),
        ("FLUX_MIN_ISR=1 flux serve", "FLUX_MIN_ISR=1 flux serve"),
        ("flux topic list", None),
        ("echo flux serve", None),
    ],
)
def test_commands_that_serve(command: str, serving: str | None) -> None:
    """From where the broker is started; what is before it is installing."""
    assert Exchange(command, "").serving == serving


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("", "", True),
        ("", "a\n", False),
        ("a", "", False),
        ("a\nb", "a  \nb\n\n", True),
        ("a\nb", "a\nc\nb\n", False),
        ("a.b", "a:b\n", False),
        ("a=… b", "a=1.5 b\n", True),
        ("a=… b", "a=1.5\n b\n", False),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a\n…\nd", "a\nb\nc\n", False),
        ("…", "", True),
    ],
)
def test_what_is_shown_is_what_is_printed(shown: str, printed: str, same: bool) -> None:
    """But for … and blanks at ends."""
    assert agrees(shown, printed) is same


def test_what_programs_are_shown_to_print() -> None:
    """Behind a print, or alone on a line; other comments say something else."""
    program = 'a = 1  # one\nprint(a)  # 1\nfor b in "#":\n    print("(b)")\n    # (b)\n'
    assert list(shown_by_comments(program)) == ["1", "(b)"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Who reads one page after the other."""
    with Reader(tmp_path_factory.mktemp("reader"), str(ROOT)) as reader:
        yield reader


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        ("console", "$ printf 'V1|1|PING|\\n' | nc -w 1 127.0.0.1 9092\nV1|1|OK|pong=false", "pong=true"),
        ("console", "$ false", "exit status 1"),
        ("python", "print(1)  # 2", "printed\n  1"),
        ("python", "raise SystemExit('no')", "no"),
        ("sh", "flux serve --port 9092", "a page has one broker"),
    ],
)
def test_what_is_wrong_is_found(reader: Reader, kind: str, text: str, problem: str) -> None:
    """A transcript that differs, a command or a program that fails, a second broker."""
    with pytest.raises(AssertionError, match=re.escape(problem)):
        reader.read(Block(1, kind, None, text))


def test_a_broker_that_does_not_come_up_is_found(tmp_path: Path) -> None:
    """With what it said."""
    with Reader(tmp_path, str(ROOT)) as reader, pytest.raises(AssertionError, match="'none' will not do"):
        reader.read(Block(1, "console", None, "$ flux serve --port none"))


def test_settings_that_will_not_do_are_found(reader: Reader) -> None:
    """And text that is no JSON."""
    with pytest.raises(BadSetting, match="did you mean min_isr"):
        reader.read(Block(1, "toml", None, "[replication]\nmin_isrs = 1"))
    with pytest.raises(ValueError, match="Expecting"):
        reader.read(Block(1, "json", None, "{"))


def test_tests_that_fail_are_found(reader: Reader) -> None:
    """All at once, at the end of the page."""
    reader.read(Block(1, "python", None, "def test_it():\n    assert 1 == 2"))
    with pytest.raises(AssertionError, match="assert 1 == 2"):
        reader.finish()
