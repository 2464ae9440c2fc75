"""Permitted targets according to the settings, down to the rejected connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.config import Settings
from parlour.egress.wiring import make_egress
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.security.test_ssrf import try_to_reach
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from tests.checkers.webhook_receiver import Line

ENABLED = {"X-Twilio-Webhook-Enabled": "true"}
LOOPBACK, PRIVATE, LISTED, METADATA, PUBLIC = (
    "http://127.0.0.1:9/",
    "http://10.0.0.9/",
    "http://10.9.0.9/",
    "http://169.254.169.254/",
    "http://8.8.8.8/",
)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens here.
NEARBY, FAR = {LOOPBACK, PRIVATE, LISTED, PUBLIC}, {PUBLIC}


@pytest.mark.parametrize(
    ("settings", "reached"),
    [
        ({}, NEARBY),
        ({"host": "::1"}, NEARBY),
        ({"host": "localhost"}, NEARBY),
        ({"host": EVERYWHERE}, FAR),
        ({"host": "::"}, FAR),
        ({"host": "192.168.1.2"}, FAR),
        ({"webhook_allow_private": "no"}, FAR),
        ({"host": EVERYWHERE, "webhook_allow_private": "yes"}, NEARBY),
        ({"host": EVERYWHERE, "webhook_allow_list": "10.9.0.0/16"}, {LISTED, PUBLIC}),
        (
            {"webhook_allow_private": "no", "webhook_allow_list": " 10.9.0.0/16 , 127.0.0.1,"},
            {LISTED, LOOPBACK, PUBLIC},
        ),
        ({"host": EVERYWHERE, "test": True}, NEARBY),
        ({"test": True, "webhook_allow_private": "no"}, FAR),
        (
            {"host": EVERYWHERE, "webhook_allow_list": "169.254.169.254/32"},
            {METADATA, PUBLIC},
        ),
    ],
    # Not in the order of sets: every process of a run has to generate the same names.
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_permitted_targets_by_settings(settings: dict[str, Any], reached: set[str]) -> None:
    policy = make_egress(Settings(data=Path("unused"), **settings)).policy
    everyone = (LOOPBACK, PRIVATE, LISTED, METADATA, PUBLIC)
    assert {url for url in everyone if try_to_reach(policy, url)[0].connected} == reached


@pytest.mark.parametrize(
    ("environment", "is_reached"),
    [
        ({}, True),
        ({"PARLOUR_WEBHOOK_ALLOW_PRIVATE": "no"}, False),
        (
            {
                "PARLOUR_WEBHOOK_ALLOW_PRIVATE": "no",
                "PARLOUR_WEBHOOK_ALLOW_LIST": "127.0.0.0/8",
            },
            True,
        ),
    ],
    ids=["next to a developer", "not to private addresses", "but to listed ones"],
)
def test_a_server_calls_only_permitted_targets(
    tmp_path: Path, environment: dict[str, str], is_reached: bool
) -> None:
    with (
        Server(tmp_path / "data", env=environment) as server,
        WebhookReceiver(tmp_path) as receiver,
    ):
        api = Api(server.base_url, server.account_sid, server.auth_token)
        urls = {"PreWebhookUrl": receiver.url("/ok/pre"), "PostWebhookUrl": receiver.url("/ok")}
        filters = ["onMessageAdd", "onMessageAdded"]
        api.post("/Configuration/Webhooks", {**urls, "Filters": filters}).expect(200)
        sid = api.post("/Conversations").expect(201)["sid"]
        path = f"/Conversations/{sid}/Messages"
        api.post(path, Body="said", headers=ENABLED).expect(201)
        log = eventually(lambda: _log(api), lambda found: len(found) == 2)
        assert {each["error_code"] for each in log} == ({None} if is_reached else {11205})
        assert {each["outcome"] for each in log} == (
            {"delivered"} if is_reached else {"failed", "retrying"}
        )
        lines: list[Line] = receiver.lines()
        assert len(lines) == (2 if is_reached else 0)
        api.close()


def _log(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/parlour/v1/WebhookAttempts").expect(200)[
        "webhook_attempts"
    ]
    return found
