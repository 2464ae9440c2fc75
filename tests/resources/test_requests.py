"""The journal of requests outside of test mode: without anything that a user wrote."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.resources import account_setup
from parlour.vocabulary import limits
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, ScenarioRunner, scenario_runner
from tests.resources.test_frozen_clock import FrozenClock
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

REQUESTS = "/parlour/v1/Requests"
NEIGHBOUR_SID = "AC" + "0" * 31 + "3"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def test_a_request_is_recorded_without_what_a_user_wrote(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        await api.post("/v1/Users", {"Identity": "alice-of-this-test"})
        await api.get("/v1/Users/alice-of-this-test", Unknown="alice-of-this-test")
        await api.get("/v1/Users/nobody")
        page = await api.get(REQUESTS)
        assert b"alice-of-this-test" not in page.body
        requests = page.expect(200)["requests"]
        assert [(each["operation"], each["status"], each["code"]) for each in requests] == [
            ("FetchUser", 404, 20404),
            ("FetchUser", 200, None),
            ("CreateUser", 201, None),
        ]
        for name in ("path", "form", "answer", "identity", "user_agent", "conversation_sid"):
            assert {each[name] for each in requests} == {None}
        (await api.get(f"{REQUESTS}/{requests[0]['sid']}")).expect(200)
        assert (await api.get(REQUESTS, Identity="alice")).expect(200)["requests"] == []

    run_scenario(scenario)


def test_requests_are_filtered_by_date(tmp_path: Path) -> None:
    start_ms = 1_800_000_000_000
    clock = FrozenClock(start_ms)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        for path in ("/v1/Users", "/v1/Roles", "/v1/Services"):
            (await api.get(path)).expect(200)
            clock.advance(60_000)
            # The journal dates its requests when it is read.
            (await api.get(REQUESTS)).expect(200)
        every = (await api.get(REQUESTS)).expect(200)["requests"]
        names = ["ListService", "ListRole", "ListUser"]
        assert [each["operation"] for each in every] == names
        dates = [each["date"] for each in every]
        for query, shown in (
            ({"Since": dates[1]}, names[:2]),
            ({"Until": dates[1]}, names[2:]),
            ({"Since": dates[1], "Until": dates[0]}, names[1:2]),
            ({"Since": dates[0], "Until": dates[2]}, []),
        ):
            found = (await api.get(REQUESTS, **query)).expect(200)["requests"]
            assert [each["operation"] for each in found] == shown, query
        (await api.get(REQUESTS, Since="yesterday")).refuses(400, 20001)

    scenario_runner(tmp_path / "data", clock=clock)(scenario)


def test_requests_of_another_account_are_not_shown(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async def create(tx: Transaction) -> None:
            await account_setup.create_account(
                tx, instance.app.vault, sid=NEIGHBOUR_SID, auth_token="token", friendly_name="N"
            )

        await instance.store.write(create)
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        neighbour = InProcessApi(instance.app.server, NEIGHBOUR_SID, "token")
        await api.get("/v1/Conversations")
        (request,) = (await api.get(REQUESTS)).expect(200)["requests"]
        assert (await neighbour.get(REQUESTS)).expect(200)["requests"] == []
        (await neighbour.get(f"{REQUESTS}/{request['sid']}")).refuses(404, 20404)
        (await api.get(f"{REQUESTS}/RQ1")).refuses(404, 20404)

    run_scenario(scenario)


def test_the_ring_has_the_last_requests_of_all_accounts(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_REQUESTS_MAX", 3)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        for _ in range(5):
            await api.get("/v1/Conversations")
        assert len((await api.get(REQUESTS)).expect(200)["requests"]) == 3
        journal = instance.app.journal
        for number in range(3):
            journal.record(
                account_sid="AC9",
                sid=f"RQ{number}",
                source="rest",
                operation_id="FetchUser",
                method="GET",
                status=200,
                answer=b"",
                elapsed_ms=1,
            )
        assert (await api.get(REQUESTS)).expect(200)["requests"] == []
        assert len(journal) == 3
        journal.forget("AC8")
        assert len(journal) == 3
        journal.forget(None)
        assert len(journal) == 0

    run_scenario(scenario)


def test_a_waiting_list_answers_once_the_request_was_made_outside_of_test_mode(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        waiting = asyncio.create_task(api.get(REQUESTS, Operation="CreateUser", Wait=30))
        await asyncio.sleep(0)
        await api.get("/v1/Conversations")
        await api.post("/v1/Users", {"Identity": "alice"})
        page = (await waiting).expect(200)
        assert ([each["status"] for each in page["requests"]], page["complete"]) == ([201], True)

    run_scenario(scenario)
