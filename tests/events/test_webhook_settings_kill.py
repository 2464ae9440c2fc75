"""Settings in force over `kill -9`: old events are polled again after the settings changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import crash_points
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server
from tests.support.server_database import connect

if TYPE_CHECKING:
    from pathlib import Path

ENABLED = {"X-Twilio-Webhook-Enabled": "true"}
DEATH_SECONDS_MAX = 60.0
EXPECTED = [("/ok/account", "one"), ("/ok/scoped", "one"), ("/ok/service", "two")]


@pytest.mark.gate
def test_a_killed_intake_applies_the_settings_of_each_event(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, WebhookReceiver(tmp_path) as receiver:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        change_and_send(api, receiver)
        eventually(lambda: received(receiver), lambda found: found == EXPECTED, seconds=20)
        api.close()
        server.stop()
        with closing(connect(server)) as connection, connection:
            connection.execute("DELETE FROM webhook_delivery")
            connection.execute("UPDATE sink_position SET sequence = 0 WHERE sink = 'webhooks'")
        for point in (crash_points.EVENT_READ, crash_points.QUEUED):
            server._env["PARLOUR_CRASH_AT"] = f"{point}#1"
            server._spawn()  # It may die before it becomes healthy.
            assert server.process is not None
            assert server.process.wait(DEATH_SECONDS_MAX) == -9
            server.kill()  # Updates the state of the process.
        del server._env["PARLOUR_CRASH_AT"]
        server.start()
        eventually(receiver.lines, lambda lines: len(lines) >= 2 * len(EXPECTED), seconds=20)
        assert received(receiver) == EXPECTED


def change_and_send(api: Api, receiver: WebhookReceiver) -> None:
    """Send two messages between changes in all three scopes."""
    filters = ["onMessageAdded"]
    configuration = api.get("/Configuration").expect(200)
    service = api.service(configuration["default_chat_service_sid"])
    api.post(
        "/Configuration/Webhooks", PostWebhookUrl=receiver.url("/ok/account"), Filters=filters
    ).expect(200)
    here = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}"
    form = {
        "Target": "webhook",
        "Configuration.Url": receiver.url("/ok/scoped"),
        "Configuration.Filters": filters,
    }
    webhook = api.post(f"{here}/Webhooks", form).expect(201)
    api.post(f"{here}/Messages", Body="one", headers=ENABLED).expect(201)
    api.delete(f"{here}/Webhooks/{webhook['sid']}").expect(204)
    service.post(
        "/Configuration/Webhooks", PostWebhookUrl=receiver.url("/ok/service"), Filters=filters
    ).expect(200)
    api.post(f"{here}/Messages", Body="two", headers=ENABLED).expect(201)
    service.post("/Configuration/Webhooks", PostWebhookUrl="").expect(200)
    api.post("/Configuration/Webhooks", PostWebhookUrl="").expect(200)


def received(receiver: WebhookReceiver) -> list[tuple[str, str]]:
    """Return the target of each message, without duplicates."""
    return sorted({(line.path, line.parameters["Body"]) for line in receiver.lines()})
