"""The address of the console at the start: a link that signs in, on a terminal only."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

import pytest

from parlour.cli.console_link import console_url, ticket_link
from parlour.cli.serve import _show_console
from tests.console.console_page import ROOT, SESSION, ConsolePage, run_scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

URL = "http://0.0.0.0:8080"
LINK = re.compile(r"http://localhost:8080/parlour/console/#ticket=([0-9a-f]{64})\n")


class Terminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_start_prints_a_link_that_signs_in_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    shown = Terminal()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, shown if name == stream else io.StringIO())

    async def scene(instance: InProcessServer) -> None:
        await _show_console(instance.app, URL)
        found = LINK.search(shown.getvalue())
        assert found is not None
        page = ConsolePage(instance.app)
        session = await page.sign_in(Ticket=found[1])
        assert session["principal"] == {"kind": "operator", "name": "local", "role": "admin"}
        (await page.send("POST", SESSION, {"Ticket": found[1]})).refuses(401, 20003)

    run_scene(tmp_path / "data", scene)


def test_no_link_is_printed_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(instance: InProcessServer) -> None:
        await _show_console(instance.app, URL)
        tickets = await instance.store.read(lambda tx: tx.all("SELECT * FROM console_ticket"))
        assert tickets == []

    run_scene(tmp_path / "data", scene)
    assert ROOT not in "".join(capsys.readouterr())


def test_test_mode_prints_the_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(instance: InProcessServer) -> None:
        await _show_console(instance.app, "http://127.0.0.1:8080")

    run_scene(tmp_path / "data", scene, test=True)
    assert capsys.readouterr().out.endswith("Console: http://127.0.0.1:8080/parlour/console/\n")


def test_addresses_that_a_browser_can_open() -> None:
    assert console_url("http://[::]:1") == "http://localhost:1/parlour/console/"
    assert console_url("http://[::1]:1") == "http://[::1]:1/parlour/console/"
    assert (
        console_url("https://chat.example.net/x/") == "https://chat.example.net/x/parlour/console/"
    )
    assert ticket_link("http://0.0.0.0", "s") == "http://localhost/parlour/console/#ticket=s"
