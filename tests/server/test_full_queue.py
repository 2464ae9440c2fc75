"""A full write queue, or a failing disk, is rejected with 503, and nothing is changed."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import connect
from tests.attacks.harness import request
from tests.resources.media_setup import MediaClient
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

LAUNCH = str(Path(__file__).parents[1] / "resources" / "launch_with_limits.py")
AT_ONCE = 20


def statuses_at_once(server: Server) -> list[int]:
    """Return the statuses of this many changes, sent concurrently on separate connections."""
    account = (server.account_sid, server.auth_token)
    sent = request("POST", "/v1/Conversations", account=account, body=b"")
    with ExitStack() as stack:
        opened = [stack.enter_context(connect(server)) for _ in range(AT_ONCE)]
        for each in opened:
            each.sendall(sent)
        answers = [each.recv(65_536) for each in opened]
    for each in answers:
        assert (b" 503 " in each[:16]) == (b"retry-after: 1" in each.lower()), each
    return [int(each[9:12]) for each in answers]


@pytest.mark.promise("QUEUE_ACTIONS_MAX", 503)
def test_a_change_behind_a_full_queue_is_refused_and_changes_nothing() -> None:
    with Server(env={"LIMITS": "QUEUE_ACTIONS_MAX=1"}, program=(LAUNCH,)) as server:
        met: list[int] = []

        def send_concurrently() -> list[int]:
            met.extend(statuses_at_once(server))
            return met

        eventually(send_concurrently, lambda statuses: 503 in statuses)
        assert set(met) == {201, 503}
        with closing(Api(server.base_url, server.account_sid, server.auth_token)) as api:
            found, page = 0, api.get("/Conversations", PageSize=limits.PAGE_SIZE_MAX)
            while True:
                found += len(page.expect(200)["conversations"])
                if page.json["meta"]["next_page_url"] is None:
                    break
                page = api.get(page.json["meta"]["next_page_url"])
        assert found == met.count(201)


@pytest.mark.promise(
    "explanation/durability.md", "A disk error during an upload is answered with 503"
)
def test_an_error_of_the_disk_during_an_upload_is_answered_503(fresh_server: Server) -> None:
    server = fresh_server
    with closing(Api(server.base_url, server.account_sid, server.auth_token)) as api:
        service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        media_client = MediaClient.of_account(server, api, service_sid)
        media_client.add(b"before")
        media = server.data_dir / "media"
        away = media.rename(server.data_dir / "media of another time")
        media.write_bytes(b"a file where the folder was")
        refused = media_client.upload(b"during")
        refused.refuses(503, 20503)
        assert refused.headers["Retry-After"] == "1"
        media.unlink()
        away.rename(media)
        made = media_client.add(b"after")
        assert media_client.direct(made).body == b"after"
