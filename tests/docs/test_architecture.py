"""The architecture page and its picture agree with the code."""

from __future__ import annotations

import re
import tomllib

from tests.tidy.sources import REPOSITORY

FOLDER = REPOSITORY / "docs" / "contributing"
PAGE = (FOLDER / "architecture.md").read_text()
PICTURE = (FOLDER / "architecture.svg").read_text()
PACKAGE = REPOSITORY / "src" / "parlour"


def test_layers_equal_those_of_import_linter() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)

    assert [set(re.findall(r"\w+", row)) for row in rows] == [
        set(re.findall(r"\w+", layer)) for layer in layers if layer != "__main__"
    ]


def test_the_picture_names_folders_that_exist_and_every_edge() -> None:
    named = set(re.findall(r"<text[^>]*>(\w+)/</text>", PICTURE))

    assert [name for name in sorted(named) if not (PACKAGE / name).is_dir()] == []
    assert {"http", "realtime", "delivery", "channels", "operations", "resources"} <= named


def test_the_picture_has_colours_for_both_themes_and_an_own_background() -> None:
    assert "prefers-color-scheme: dark" in PICTURE
    assert "currentColor" in PICTURE
    assert 'class="page"' in PICTURE


def test_steps_of_the_text_equal_those_of_the_picture() -> None:
    steps = re.findall(r"^(\d)\. \*\*", PAGE, re.MULTILINE)
    drawn = re.findall(r'class="step">.*?>(\d)</text>', PICTURE)

    assert steps == drawn == [str(number) for number in range(1, 8)]
