"""The pictures of the documentation show the console as it is.

`make pictures` writes them.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import ENV, run_program
from tests.support.server import REPOSITORY, Server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("sdk-browser"), pytest.mark.usefixtures("_vendor")]

PICTURES = REPOSITORY / "docs" / "pictures"
NAMES = ("conversations", "phones", "webhooks")
VARIABLE = "PARLOUR_PICTURES"
"""`write`: write the pictures instead of comparing them."""
RANDOM_SEED = "4711"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_FRAME_BYTES = 12
"""Length, kind and checksum of a chunk."""


def test_pictures_of_the_documentation_show_the_console_as_it_is(tmp_path: Path) -> None:
    with Server(tmp_path / "data", ENV, args=("--test", "--random-seed", RANDOM_SEED)) as server:
        run = run_program(
            server,
            "pictures",
            PICTURES=str(PICTURES),
            OUTPUT=str(tmp_path),
            MODE=os.environ.get(VARIABLE, ""),
        )
    assert run.failed("pictures") == [], f"see {tmp_path}, and run `make pictures`"
    assert len(run.checks["pictures"]) == 3 * len(NAMES) + 2
    assert sorted(path.stem for path in PICTURES.glob("*.png")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_no_metadata(name: str) -> None:
    content = (PICTURES / f"{name}.png").read_bytes()
    kinds, at = set(), len(SIGNATURE)
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        kinds.add(kind)
        at += length + CHUNK_FRAME_BYTES

    assert kinds <= {b"IHDR", b"IDAT", b"IEND", b"sRGB"}
