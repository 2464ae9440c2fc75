"""Several nodes on one database: each sink is one node's work at a time, whatever happens to it."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.checkers.delivery_checker import committed, differences, duplicates, is_complete
from tests.checkers.webhook_receiver import Receiver
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
"""A lease of three seconds, and the time to notice."""
HELD_SECONDS = 4.0
"""Longer than a lease, shorter than a lock is waited for."""
IN_FLIGHT_MAX = 64
"""What an owner may have sent, and not noted, when it is killed or paused."""
CONVERSATIONS = 6


def api_of(server: Server) -> Api:
    return Api(server.base_url, server.account_sid, server.auth_token)


def owners(server: Server) -> dict[str, str]:
    """Who has which lease now."""
    with closing(connect(server)) as connection:
        return dict(connection.execute("SELECT name, owner FROM lease").fetchall())


def conversations(server: Server, receiver: Receiver, path: str = "/ok") -> list[str]:
    """Some conversations, and a webhook that hears of their messages."""
    api = api_of(server)
    url = receiver.url(path)
    hears = {"PostWebhookUrl": url, "Filters": ["onMessageAdded"], "Method": "POST"}
    api.post("/Configuration/Webhooks", hears).expect(200)
    made = [api.post("/Conversations").expect(201)["sid"] for _ in range(CONVERSATIONS)]
    api.close()
    return made


def nothing_lost(server: Server, receiver: Receiver, disturbances: int) -> None:
    """Everything committed arrives, in order, once but for what was in flight."""
    eventually(
        lambda: is_complete(committed(server), receiver.lines()), lambda done: done, seconds=60
    )
    time.sleep(1)  # What would come twice has a moment to come.
    found = differences(committed(server), receiver.lines())
    assert not found, found[:5]
    assert duplicates(receiver.lines()) <= disturbances * IN_FLIGHT_MAX


def test_an_owner_that_loses_its_lease_early_sends_again_when_it_gets_it_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    with Receiver(tmp_path) as receiver, Cluster(postgres, tmp_path, 1) as nodes:
        (server,) = nodes.servers
        sid, *_ = conversations(server, receiver)
        api = api_of(server)
        fires = {"X-Twilio-Webhook-Enabled": "true"}
        # As when a standby is promoted whose clock goes ahead: the owner had relied on it longer.
        with closing(connect(server)) as connection:
            connection.execute(
                "UPDATE lease SET owner = 'another', fence = fence + 1,"
                " expires_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 1500"
            )
        for _ in range(3):
            api.post(f"/Conversations/{sid}/Messages", {"Body": "here"}, headers=fires).expect(201)
        api.close()
        nothing_lost(server, receiver, 1)


def test_of_several_that_waited_for_a_lease_one_gets_it(postgres: Postgres, tmp_path: Path) -> None:
    with Cluster(postgres, tmp_path, 3) as nodes, closing(connect(nodes.servers[0])) as connection:
        fences = "SELECT name, fence FROM lease"
        before = dict(connection.execute(fences).fetchall())
        # As when the owner was paused in a transaction: nobody gets at the rows for a while.
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM lease FOR UPDATE")
        time.sleep(HELD_SECONDS)
        connection.execute("COMMIT")
        time.sleep(1)  # Every one that waited has got at them.
        after = dict(connection.execute(fences).fetchall())
        assert all(after[name] <= before[name] + 1 for name in before), (before, after)


def test_a_timer_acts_once_on_however_many_nodes(postgres: Postgres, tmp_path: Path) -> None:
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
def test_of_many_that_create_the_same_on_different_nodes_one_does(
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
