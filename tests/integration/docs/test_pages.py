"""What the documentation says is so: every transcript and every program in it is run, against a broker."""

from pathlib import Path

import pytest

from tests.integration.docs.pages import KINDS, blocks
from tests.integration.docs.reader import ROOT, Reader

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.rst"),
        *(ROOT / "docs").rglob("*.md"),
    ]
    if "newsfragments" not in path.parts
)
RUN = ("console", "python", "toml", "json", "sh")


@pytest.mark.parametrize("page", [page for page in PAGES if any(each.kind in RUN for each in blocks(ROOT / page))])
def test_what_a_page_says_is_so(page: str, tmp_path: Path) -> None:
    """Command by command, in the order it is read."""
    path = ROOT / page
    with Reader(tmp_path, f"{ROOT}:{path.parent}") as reader:  # an example lies beside its page
        for block in blocks(path):
            try:
                reader.read(block)
            except (AssertionError, ValueError) as error:
                raise AssertionError(f"{page}, line {block.line}: {error}") from None
        reader.finish()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_known_kind(page: str) -> None:
    """Or a slip of the pen would be enough not to be run."""
    assert [(each.line, each.kind) for each in blocks(ROOT / page) if each.kind not in KINDS] == []
