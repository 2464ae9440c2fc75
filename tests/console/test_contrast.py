"""The colours of the page: each pair that is used has enough contrast, in both themes."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.console.node_tools import STATIC

pytestmark = pytest.mark.embedded

COLOURS = 12
TEXT_MIN = 4.5
"""WCAG 2.2, 1.4.3: of text and its background."""
CONTROL_MIN = 3.0
"""WCAG 2.2, 1.4.11: of the borders of fields, and the marks of a focus and of an invalid field."""
THEMES = ("light", "dark")
SURFACES = ("page", "card", "raise", "tint")
STATES = ("good", "warn", "bad")
BADGE_SHARE = 0.11

_FIELDS = re.compile(
    r"^input, select, textarea \{.*border-color:"
    r"color-mix\(in srgb, var\(--(\w+)\) (\d+)%, var\(--(\w+)\)\)",
    re.MULTILINE,
)
_COLOUR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)")


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: float
    green: float
    blue: float


def parse(text: str) -> Colour:
    """Return a colour of three or six hexadecimal digits."""
    digits = text.removeprefix("#")
    pairs = [digit * 2 for digit in digits] if len(digits) == 3 else re.findall("..", digits)
    return Colour(*(int(pair, 16) for pair in pairs))


def colours_of(css: str, theme: str) -> dict[str, Colour]:
    """Return the colours of a theme, by the names of their variables."""
    return {
        name: parse(light if theme == "light" else dark)
        for name, light, dark in _COLOUR.findall(css)
    }


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return what `color-mix(in srgb, one share, other)` is."""
    return Colour(*(a * share + b * (1 - share) for a, b in zip(one, other, strict=True)))


def luminance(colour: Colour) -> float:
    """Return the relative luminance, as WCAG defines it."""
    parts = (part / 255 for part in colour)
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def texts(own: dict[str, Colour]) -> dict[str, tuple[Colour, Colour]]:
    """Return each pair of a text and its background."""
    pairs = {
        f"{name} on {surface}": (own[name], own[surface])
        for name in ("text", "soft", "accent", *STATES)
        for surface in SURFACES
    }
    for name in STATES:
        for surface in SURFACES:
            badge = mix(own[name], own[surface], BADGE_SHARE)
            pairs[f"badge {name} on {surface}"] = (own[name], badge)
    banner, trouble = mix(own["warn"], own["card"], 0.14), mix(own["bad"], own["card"], 0.06)
    pressed = mix(own["accent"], own["text"], 0.88)
    return pairs | {
        "text of a button": (own["on-accent"], own["accent"]),
        "text of a button that is pointed at": (own["on-accent"], pressed),
        "text of a button that removes": (own["on-accent"], own["bad"]),
        "text of the banner": (own["text"], banner),
        "text of an error": (own["text"], trouble),
        "soft text of an error": (own["soft"], trouble),
    }


def marks(own: dict[str, Colour]) -> dict[str, tuple[Colour, Colour]]:
    """Return each pair of a mark and its background: of the focus, and of an invalid field."""
    return {
        f"{name} on {surface}": (own[name], own[surface])
        for name in ("accent", "bad")
        for surface in SURFACES
    }


def borders(css: str, own: dict[str, Colour]) -> dict[str, tuple[Colour, Colour]]:
    """Return each pair of the border of a field and its background."""
    found = _FIELDS.search(css)
    one, share, other = found.groups() if found else ("line", "100", "line")
    border = mix(own[one], own[other], int(share) / 100)
    return {f"border of a field on {surface}": (border, own[surface]) for surface in SURFACES}


def too_close(css: str, theme: str) -> list[str]:
    """Return the pairs of a theme with too little contrast."""
    own = colours_of(css, theme)
    checks = ((texts(own), TEXT_MIN), (marks(own) | borders(css, own), CONTROL_MIN))
    return [
        f"{name}: {contrast(*pair):.2f} of {least}"
        for pairs, least in checks
        for name, pair in pairs.items()
        if contrast(*pair) < least
    ]


def stylesheet() -> str:
    """Return the style of the page."""
    return (STATIC / "style.css").read_text()


@pytest.mark.parametrize("theme", THEMES)
def test_texts_and_marks_have_enough_contrast(theme: str) -> None:
    assert len(colours_of(stylesheet(), theme)) == COLOURS
    assert too_close(stylesheet(), theme) == []


def test_rules_use_no_colours_but_the_variables() -> None:
    rules = re.sub(r"/\*.*?\*/", "", stylesheet(), flags=re.DOTALL).partition("\n}")[2]

    found = set(re.findall(r"#[0-9a-f]{3,8}\b|\brgba?\([^)]*\)|\bhsl\([^)]*\)", rules))
    # The backdrop of a dialog, in both themes.
    assert found <= {"rgb(10 12 16 / .4)"}


def test_a_paler_colour_is_reported() -> None:
    css = stylesheet()
    soft = next(light for name, light, _ in _COLOUR.findall(css) if name == "soft")

    found = too_close(css.replace(soft, "#8a8e97"), "light")

    assert any(each.startswith("soft on card") for each in found)
    assert too_close(css.replace(soft, "#8a8e97"), "dark") == []


def test_a_field_with_the_line_of_a_card_is_reported() -> None:
    css = _FIELDS.sub("input, select, textarea {", stylesheet())

    assert sum(each.startswith("border of a field") for each in too_close(css, "light")) == 4


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast(parse("#000"), parse("#fff")) == pytest.approx(21)
    assert contrast(parse("#777"), parse("#ffffff")) == pytest.approx(4.48, abs=0.01)
    assert mix(parse("#fff"), parse("#000"), 0.5) == pytest.approx((127.5, 127.5, 127.5))
