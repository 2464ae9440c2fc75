"""The generated pages equal the output of their generators, and links have targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parlour.cli.docs_pages import PAGES
from parlour.vocabulary import limits

ROOT = Path(__file__).resolve().parents[2]
PAGES_OF_THE_REPOSITORY = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path.is_file()
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"`([a-z_0-9]+/[a-z_/0-9]*\.py)`")
_ROOTS = (ROOT, ROOT / "src" / "parlour")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make docs`"


def test_every_limit_is_explained() -> None:
    page = PAGES["limits.md"]()
    for name in vars(limits):
        if name.isupper() and isinstance(getattr(limits, name), int):
            row = next(line for line in page.splitlines() if f"`{name}`" in line)
            assert row.split("|")[3].strip(), name


@pytest.mark.parametrize("page", PAGES_OF_THE_REPOSITORY, ids=lambda path: path.name)
def test_links_have_targets(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("#"):
            continue
        path = page.parent / target.partition("#")[0]
        assert path.exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES_OF_THE_REPOSITORY, ids=lambda path: path.name)
def test_named_files_exist(page: Path) -> None:
    for target in _FILE.findall(page.read_text(encoding="utf-8")):
        assert any((root / target).exists() for root in _ROOTS), f"{page.name} names {target}"
