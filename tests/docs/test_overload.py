"""What the page about overload says of a limit or setting is what the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from parlour import config
from parlour.vocabulary import limits
from parlour.vocabulary.limits import fairness, units

PAGE = (Path(__file__).resolve().parents[2] / "docs/explanation/overload.md").read_text()
_CELLS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| bound ")
]
ROWS = [dict(zip(("bound", "default", "setting", "at it"), row, strict=True)) for row in _CELLS]
LIMITS = [row for row in ROWS if row["bound"].startswith("`")]
UNITS = {"KiB": limits.KIBIBYTE, "MiB": limits.MEBIBYTE}


def number_of(text: str) -> int:
    return int(text.replace(",", ""))


def value_of(name: str, text: str) -> int:
    """The value of a limit as the page writes it, in the limit's own unit."""
    number, _, unit = text.partition(" ")
    if unit in UNITS:
        assert "BYTES" in name, f"{name} is not in bytes"
        return number_of(number) * UNITS[unit]
    if unit == "s":
        return number_of(number) * (1000 if "_MS" in name else 1)
    assert unit in {"", "ms"}, f"{name}: {unit}"
    assert (unit == "ms") == ("_MS" in name), f"{name} has another unit"
    return number_of(number)


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row["bound"].strip("`"))
def test_each_limit_has_the_value_that_the_page_gives(row: dict[str, str]) -> None:
    name = row["bound"].strip("`")
    assert value_of(name, row["default"]) == getattr(limits, name)


def test_each_setting_has_the_default_that_the_page_gives() -> None:
    described = {each.flag: each for each in config.described()}
    with_setting = [row for row in ROWS if row["setting"]]
    assert with_setting
    for row in with_setting:
        setting = described[row["setting"].strip("`")]
        unit = "_BYTES" if "bytes" in row["bound"] else ""
        assert value_of(unit, row["default"]) == setting.default


def test_each_limit_of_fairness_is_on_the_page() -> None:
    names = {name for name in vars(fairness) if name.isupper() and name not in vars(units)}
    missing = names - {row["bound"].strip("`") for row in LIMITS}
    assert not missing
