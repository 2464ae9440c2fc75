"""Segment counts of texts, compared with the counter of the hosted API's vendor."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parlour.protocol.sms_segments import GSM7, split_text
from tests.support.nodejs import install_packages, node_command

pytestmark = pytest.mark.xdist_group("segment counts")

NODE = Path(__file__).parent / "node"
TEXTS = 2700
# Of these, at least so many have only characters of one code point.
COMPARED_MIN = 2000

ALPHABETS = {
    "letters": "abcXYZ 0189.,?!",
    "alphabet": "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
    "extension": "\f^{}\\[~]|€",
    "national": "çğışŞİąęłżñãõßÇéêâ",
    "not in GSM-7": "`“”–…\tПривет中文日本áíóú",
    "surrogates": "😀🎉𝔸🀄𐍈",
    "composed": "e\u0301🇩🇪👍🏽👩\u200d💻नि",
}
MIXES = [
    ("letters",),
    ("letters", "alphabet"),
    ("letters", "extension"),
    ("alphabet", "extension"),
    ("letters", "national"),
    ("letters", "alphabet", "extension", "not in GSM-7"),
    ("surrogates",),
    ("letters", "surrogates"),
    ("extension", "surrogates", "not in GSM-7"),
    ("letters", "composed"),
]
# Lengths around the boundaries are the most likely ones.
BOUNDARIES = [0, 1, 35, 67, 70, 76, 80, 134, 140, 153, 160, 201, 306, 459, 1530, 1600]


def make_texts() -> list[str]:
    choose = random.Random(11)
    texts = [""]
    for number in range(TEXTS):
        mix = MIXES[number % len(MIXES)]
        characters = "".join(ALPHABETS[each] for each in mix)
        if number % 3:
            length = max(0, choose.choice(BOUNDARIES) + choose.randint(-3, 3))
        else:
            length = choose.randint(0, 700)
        text = "".join(choose.choices(characters, k=length))
        if number % 4 == 0:
            # Long runs of letters with a single other character near a boundary.
            at = choose.choice(BOUNDARIES) + choose.randint(-3, 3)
            text = "a" * max(0, at) + choose.choice(characters) + "b" * choose.randint(0, 170)
        texts.append(text)
    return texts


@pytest.fixture(scope="module")
def counted() -> list[tuple[str, dict[str, Any]]]:
    install_packages(NODE)
    texts = make_texts()
    result = subprocess.run(
        [*node_command(), str(NODE / "count_segments.mjs")],
        input=json.dumps(texts),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    return list(zip(texts, json.loads(result.stdout), strict=True))


def test_encodings_and_segment_counts_equal_those_of_the_vendors_calculator(
    counted: list[tuple[str, dict[str, Any]]],
) -> None:
    compared = 0
    for text, expected in counted:
        split = split_text(text)
        if len(text) == expected["graphemes"]:
            compared += 1
            found = split.encoding, len(split.segments)
            assert found == (expected["encoding"], expected["segments"]), ascii(text)
    assert compared >= COMPARED_MIN


def test_composed_characters_may_be_divided_and_so_take_at_most_as_many_segments(
    counted: list[tuple[str, dict[str, Any]]],
) -> None:
    """The calculator keeps what a reader sees as one character in one segment; phones join both."""
    composed = [each for each in counted if len(each[0]) != each[1]["graphemes"]]
    assert len(composed) > 100
    for text, expected in composed:
        split = split_text(text)
        assert split.encoding == expected["encoding"] != GSM7
        assert len(split.segments) <= expected["segments"], ascii(text)
