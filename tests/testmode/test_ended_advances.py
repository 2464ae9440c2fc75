"""An advance in progress ends with a reset or a restore of the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.events.webhook_backend import WebhookBackend, hang
from tests.testmode.rest_server import RestServer, in_server
from tests.testmode.test_reset_hanging import arrived

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = "/parlour/v1/Clock"
SNAPSHOTS = "/parlour/v1/Snapshots"
DATE = "2026-01-05T09:00:00.000Z"


@pytest.mark.parametrize("what", ["reset", "restore"])
def test_an_advance_does_not_set_the_clock_of_the_state_that_follows(
    tmp_path: Path, what: str
) -> None:
    """The advance waits for a webhook that does not respond, and would have 100 days to go."""

    async def scene(server: RestServer) -> None:
        first = server.first()
        async with WebhookBackend() as backend:
            backend.responders["/post"] = hang
            (await first.post(CLOCK, Mode="frozen", Now=DATE)).expect(200)
            (await first.post(SNAPSHOTS, Name="one", Scope="server")).expect(201)
            form = {"PostWebhookUrl": backend.url("/post"), "Filters": "onConversationAdded"}
            await first.send("POST", "/v1/Configuration/Webhooks", form | {"Method": "POST"})
            await first.make("/v1/Conversations", UniqueName="x")
            await arrived(backend)
            advancing = asyncio.create_task(first.post(f"{CLOCK}/Advance", By="P100D"))
            while (await first.get(CLOCK)).json["status"] != "advancing":  # noqa: ASYNC110
                await asyncio.sleep(0.001)

            if what == "reset":
                (await first.post("/parlour/v1/Reset", Scope="server")).expect(200)
            else:
                (await first.post(f"{SNAPSHOTS}/one/Restore")).expect(200)

            assert (await first.get(CLOCK)).json["status"] == "ready"
            (await first.post(CLOCK, Mode="frozen", Now=DATE)).expect(200)
            (await first.post(f"{CLOCK}/Advance", By="PT1S")).expect(200)
            await advancing
            now = (await first.get(CLOCK)).json
            assert (now["status"], now["now"]) == ("ready", "2026-01-05T09:00:01.000Z")

    in_server(tmp_path, scene)


def test_an_advance_that_ends_between_two_dates_does_not_set_the_clock(tmp_path: Path) -> None:
    """A reset comes after an advance has read the next date, and before it has set it."""

    async def scene(server: RestServer) -> None:
        first, control = server.first(), server.test_mode.clock_control
        (await first.post(CLOCK, Mode="frozen", Now=DATE)).expect(200)
        await first.make("/v1/Conversations", UniqueName="x", Timers__Inactive="PT1M")
        clock = server.test_mode.clock
        read = clock.timers.due_times
        was_reset: list[bool] = []

        def reset_after_reading() -> list[int]:
            if not was_reset and control._advance is not None:
                was_reset.append(True)
                control.reset()
            found: list[int] = read()
            return found

        clock.timers.due_times = reset_after_reading
        (await first.post(f"{CLOCK}/Advance", By="P1D")).expect(200)

        assert was_reset
        assert (await first.get(CLOCK)).json["mode"] == "system"

    in_server(tmp_path, scene)
