"""The address of the console at the start: a link that signs in, on a terminal only."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from parlour.cli import console_link
from parlour.cli.console_link import console_url, ticket_link
from parlour.cli.serve import _show_console
from tests.console.console_page import ROOT, SESSION, ConsolePage, run_scene
from tests.events.in_process_server import ACCOUNT_SID
from tests.support.preloaded_servers import template
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.events.in_process_server import InProcessServer

URL = "http://0.0.0.0:8080"
LINK_OF_ANY = re.compile(r"http://[^/]+/parlour/console/#ticket=[0-9a-f]{64}\n")
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


EMBEDDED = {"PARLOUR_DATABASE": ""}


def run_console(server: Server, *arguments: str, data: Path) -> CompletedProcess[str]:
    """Run the command for the address of a server, with a data folder."""
    given = ["console", "--url", server.base_url, "--data", str(data), *arguments]
    environment = server.environment() | EMBEDDED
    return template().run(given, environment, data.parent, seconds_max=30)


def test_an_open_console_needs_no_ticket(tmp_path: Path) -> None:
    with Server(env=EMBEDDED, args=("--test",)) as server:
        address = f"{server.base_url}/parlour/console/"
        for arguments, shown in (
            ((), f"{address}\n"),
            (("--json",), json.dumps({"url": address, "seconds": None}) + "\n"),
            (("--account", ACCOUNT_SID), f"{address}{ACCOUNT_SID}\n"),
        ):
            # The server has temporary data, and no other folder is made.
            done = run_console(server, *arguments, data=tmp_path / "none")
            assert (done.returncode, done.stdout) == (0, shown), done.stderr
            assert "needs no sign-in" in done.stderr
        assert not (tmp_path / "none").exists()


def test_a_console_with_a_sign_in_elsewhere_is_named(tmp_path: Path) -> None:
    with Server(env=EMBEDDED) as server:
        done = run_console(server, data=tmp_path / "none")
        assert done.returncode == 1
        assert f"there is no store in {tmp_path / 'none'}" in done.stderr
        assert f"sign in at {server.base_url}/parlour/console/" in done.stderr
        # With the data of the server it gets a ticket.
        linked = run_console(server, data=server.data_dir)
        assert LINK_OF_ANY.fullmatch(linked.stdout), linked


def test_only_a_server_on_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a request to another machine")

    monkeypatch.setattr(console_link, "build_opener", refuse)
    for url in (
        "https://chat.example.net",
        "http://192.0.2.1:8080",
        "http://0.0.0.0:80",
        "http://",
    ):
        assert not console_link.is_open(url)
