"""Several nodes on one database: one node at a time runs each sink, despite kills and pauses."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.checkers.delivery_checker import committed, differences, duplicates, is_complete
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.support.client import Api
from tests.support.cluster import Cluster
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres_server import Postgres
    from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

TAKEOVER_SECONDS_MAX = 6.0
"""A lease TTL of three seconds, and the time until the expiry is detected."""
HELD_SECONDS = 4.0
"""Longer than a lease, shorter than the lock timeout."""
IN_FLIGHT_MAX = 64
"""Events that an owner may have sent but not recorded when it is killed or paused."""
CONVERSATIONS = 6


def api_of(server: Server) -> Api:
    return Api(server.base_url, server.account_sid, server.auth_token)


def owners(server: Server) -> dict[str, str]:
    """Return the current owner of each lease."""
    with closing(connect(server)) as connection:
        return dict(connection.execute("SELECT name, owner FROM lease").fetchall())


def conversations(server: Server, receiver: WebhookReceiver, path: str = "/ok") -> list[str]:
    """Return new conversations with a webhook for their messages."""
    api = api_of(server)
    url = receiver.url(path)
    webhook = {"PostWebhookUrl": url, "Filters": ["onMessageAdded"], "Method": "POST"}
    api.post("/Configuration/Webhooks", webhook).expect(200)
    made = [api.post("/Conversations").expect(201)["sid"] for _ in range(CONVERSATIONS)]
    api.close()
    return made


def nothing_lost(server: Server, receiver: WebhookReceiver, disturbances: int) -> None:
    """Everything committed arrives, in order, and once except for requests in flight."""
    eventually(
        lambda: is_complete(committed(server), receiver.lines()), lambda done: done, seconds=60
    )
    time.sleep(1)  # Gives duplicates time to arrive.
    found = differences(committed(server), receiver.lines())
    assert not found, found[:5]
    assert duplicates(receiver.lines()) <= disturbances * IN_FLIGHT_MAX


def test_owner_that_lost_its_lease_early_resumes_when_it_is_regained(
    postgres: Postgres, tmp_path: Path
) -> None:
    with WebhookReceiver(tmp_path) as receiver, Cluster(postgres, tmp_path, 1) as nodes:
        (server,) = nodes.servers
        sid, *_ = conversations(server, receiver)
        api = api_of(server)
        fires = {"X-Twilio-Webhook-Enabled": "true"}
        # As after the promotion of a standby with a fast clock: the owner trusted the lease longer.
        with closing(connect(server)) as connection:
            connection.execute(
                "UPDATE lease SET owner = 'another', fence = fence + 1,"
                " expires_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 1500"
            )
        for _ in range(3):
            api.post(f"/Conversations/{sid}/Messages", {"Body": "here"}, headers=fires).expect(201)
        api.close()
        nothing_lost(server, receiver, 1)


def test_one_of_several_waiting_nodes_acquires_a_lease(postgres: Postgres, tmp_path: Path) -> None:
    with Cluster(postgres, tmp_path, 3) as nodes, closing(connect(nodes.servers[0])) as connection:
        fences = "SELECT name, fence FROM lease"
        before = dict(connection.execute(fences).fetchall())
        # As after a pause of the owner in a transaction: the rows are locked for some time.
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM lease FOR UPDATE")
        time.sleep(HELD_SECONDS)
        connection.execute("COMMIT")
        time.sleep(1)  # All waiting nodes have had access.
        after = dict(connection.execute(fences).fetchall())
        assert all(after[name] <= before[name] + 1 for name in before), (before, after)


def test_timer_fires_once_on_several_nodes(postgres: Postgres, tmp_path: Path) -> None:
    with Cluster(postgres, tmp_path, 2) as nodes:
        first, second = nodes.servers
        api = api_of(second)
        made = [
            api.post("/Conversations", {"Timers.Inactive": "PT1M"}).expect(201)["sid"]
            for _ in range(5)
        ]
        with closing(connect(first)) as connection:
            connection.execute("UPDATE conversation SET date_inactive = 1")
        eventually(
            lambda: {api.get(f"/Conversations/{sid}").expect(200)["state"] for sid in made},
            lambda states: states == {"inactive"},
        )
        with closing(connect(first)) as connection:
            query = "SELECT COUNT(*) FROM event WHERE name = 'onConversationStateUpdated'"
            assert connection.execute(query).fetchone() == (len(made),)
        api.close()


@pytest.mark.promise("decisions/0014-postgresql.md", "at once, one is answered 201")
def test_of_concurrent_creates_on_different_nodes_one_succeeds(
    postgres: Postgres, tmp_path: Path
) -> None:
    with Cluster(postgres, tmp_path, 2) as nodes:
        answers: list[tuple[int, int | None]] = []

        def create(server: Server) -> None:
            api = api_of(server)
            answer = api.post("/Conversations", UniqueName="the only one")
            code = None if answer.status == 201 else answer.json["code"]
            answers.append((answer.status, code))
            api.close()

        threads = [
            threading.Thread(target=create, args=(server,))
            for server in nodes.servers
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers, key=str) == [(201, None), *[(409, 50353)] * 31]
