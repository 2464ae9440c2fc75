"""The URL of a medium that a virtual phone sends: fetched before the response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.checkers.webhook_receiver import WebhookReceiver
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = "/parlour/v1/VirtualPhones/+15558675310/Messages"
# The receiver of this machine is behind each of them.
SPELLINGS = ("127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]")


@pytest.mark.parametrize("is_private_allowed", [False, True], ids=["guarded", "unguarded"])
def test_a_private_target_is_fetched_only_without_the_guard(
    tmp_path: Path, *, is_private_allowed: bool
) -> None:
    allowed = "yes" if is_private_allowed else "no"
    with (
        Server(tmp_path / "data", env={"PARLOUR_WEBHOOK_ALLOW_PRIVATE": allowed}) as server,
        WebhookReceiver(tmp_path) as receiver,
    ):
        api = Api(server.base_url, server.account_sid, server.auth_token)
        for host in SPELLINGS:
            url = receiver.url("/ok").replace("127.0.0.1", host)
            sent = api.post(MESSAGES, To="+15005550006", MediaUrl=url)
            if is_private_allowed:
                assert len(sent.expect(201)["media"]) == 1
            else:
                sent.refuses(400, 20001)
        assert len(receiver.lines()) == (len(SPELLINGS) if is_private_allowed else 0)
        if not is_private_allowed:  # The phone would exist if a message had been stored.
            api.get(MESSAGES).refuses(404, 20404)
        api.close()
