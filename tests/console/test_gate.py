"""The gate: each check refuses with its own status, and then nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.console.console_page import (
    SESSION,
    ConsolePage,
    api_of,
    run_scene,
    signed_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer


def test_the_page_calls_operations_as_its_account(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        made = (await page.call("POST", "/v1/Conversations", {"FriendlyName": "x"})).expect(201)
        shown = (await page.call("GET", f"/v1/Conversations/{made['sid']}")).expect(200)
        assert shown == (await api_of(instance).get(f"/v1/Conversations/{made['sid']}")).json()
        (await page.call("DELETE", f"/v1/Conversations/{made['sid']}")).expect(204)

    run_scene(tmp_path / "data", scene)


def test_open_mode_gives_a_session_of_an_operator(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        refused = await page.send("GET", SESSION)
        assert refused.refuses(401, 20003)
        assert refused.json()["open"] is True
        session = await page.sign_in(Open="true")
        assert session["principal"] == {"kind": "operator", "name": "local", "role": "admin"}
        assert (session["account_sid"], session["may_change"], session["test"]) == (
            None,
            True,
            True,
        )
        assert (await page.send("GET", SESSION)).expect(200) == session
        (await page.call("GET", "/v1/Conversations")).expect(200)
        (await page.send("DELETE", SESSION)).expect(204)
        (await page.call("GET", "/v1/Conversations")).refuses(401, 20003)

    run_scene(tmp_path / "data", scene, test=True)
