"""Files, links and anchors that the documentation names exist in the tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.tidy.sources import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = sorted(
    [*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
)
# A path is taken relative to one of these folders.
TOPS = [REPOSITORY, REPOSITORY / "src" / "parlour", REPOSITORY / "docs", REPOSITORY / "tests"]
# Folders of the package and of the repository: a path that starts elsewhere is a user's.
FIRST = {
    path.name for top in TOPS for path in top.iterdir() if path.is_dir() and path.name[0] != "."
}
# Made by a benchmark.
GENERATED = {"bench/build/"}
DECISION_WORDS_MAX = 350
PARTS = ("Context", "Decision", "Consequences")

_SPAN = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"(?P<path>[\w.-]+(?:/[\w.*<>{},-]+)*(?:/|/[\w.*-]+|\.py|\.md|\.toml))\Z")
# Images too.
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY))
)


def named_files(text: str) -> Iterator[str]:
    """Yield the code spans that name a file or folder of the repository."""
    for span in _SPAN.findall(text):
        found = _FILE.match(span)
        if not found or any(mark in span for mark in "<>{}"):
            continue
        path = found["path"]
        first = path.split("/")[0]
        is_module = path.endswith(".py") and "/" not in path
        if (first in FIRST and "/" in path) or is_module:
            yield path


def exists(path: str) -> bool:
    """Return whether a file or folder of this name exists; a name alone may be anywhere."""
    if "/" not in path:
        return (REPOSITORY / path).exists() or any(
            any((REPOSITORY / top).rglob(path)) for top in ("src", "tests", "bench", "tools")
        )
    return any(
        any(top.glob(path.rstrip("/"))) if "*" in path else (top / path).exists() for top in TOPS
    )


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    found = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found | set(re.findall(r'(?:id|name)="([\w-]+)"', text))


def broken_links(page: Path) -> list[str]:
    """Return the relative links of a page without a target."""
    broken = []
    for link in _LINK.findall(page.read_text()):
        if ":" in link.split("#")[0]:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        is_broken = not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())
        )
        if is_broken:
            broken.append(link)
    return broken


@each_page
def test_each_named_file_exists(page: Path) -> None:
    named = named_files(page.read_text())
    missing = [path for path in named if path not in GENERATED and not exists(path)]

    assert missing == []


@each_page
def test_each_link_has_a_target(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize(
    "page", sorted((REPOSITORY / "docs" / "decisions").glob("*.md")), ids=lambda page: page.stem
)
def test_a_decision_record_is_one_page_of_the_known_parts(page: Path) -> None:
    text = page.read_text()
    number = int(page.name[:4])

    assert text.startswith(f"# {number}. ")
    assert [part for part in PARTS if f"**{part}.**" not in text] == []
    assert len(text.split()) <= DECISION_WORDS_MAX


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("`store/blobs.py` and `tests/store/`", ["store/blobs.py", "tests/store/"]),
        ("`pipeline.py`", ["pipeline.py"]),
        ("`/etc/parlour/key.py` `data/media/` `resources/<name>/store.py` `a.b`", []),
        ("`python -m tools.measure`, `https://x/store/y.py`", []),
    ],
)
def test_files_are_recognized_in_code_spans(text: str, named: list[str]) -> None:
    assert list(named_files(text)) == named


def test_a_missing_file_and_a_missing_anchor_are_reported(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A first part\n[a](#a-first-part) [b](#b) [c](no.md) [d](https://example.com)\n"
        "![e](page.md) ![f in\ntwo lines](no.svg)\n"
    )

    assert broken_links(page) == ["#b", "no.md", "no.svg"]
    assert not exists("store/no_such_file.py")
    assert not exists("no_such_module.py")
