"""The event feed as pages: positions, filters, parameters, the wait, and cursors of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from parlour.resources import account_setup
from parlour.store import event_log
from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    ALICE,
    AUTH_TOKEN,
    WITH_HEADER,
    ScenarioRunner,
    scenario_runner,
)
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

EVENTS = "/parlour/v1/Events"
OTHER_SID = "AC" + "0" * 31 + "2"
OTHER_TOKEN = "another auth token of a test"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def api_of(instance: InProcessServer) -> InProcessApi:
    """Return the API of the server's account."""
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


async def other_account(instance: InProcessServer) -> InProcessApi:
    """Create a second account and return its API."""

    async def create(tx: Transaction) -> None:
        await account_setup.create_account(
            tx, instance.app.vault, sid=OTHER_SID, auth_token=OTHER_TOKEN, friendly_name="Other"
        )

    await instance.store.write(create)
    return InProcessApi(instance.app.server, OTHER_SID, OTHER_TOKEN)


def types_of(page: dict[str, Any]) -> list[str]:
    return [each["event_type"] for each in page["events"]]


async def newest(instance: InProcessServer) -> str:
    """Return the cursor of the end of the log."""
    found = (await api_of(instance).get(EVENTS, After="now")).expect(200)
    assert found["events"] == []
    cursor: str = found["after"]
    return cursor


def test_an_event_has_the_parameters_that_its_webhook_gets(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        start = await newest(instance)
        await instance.enable_webhooks(backend)
        sid = (await instance.do("CreateConversation", origin=WITH_HEADER)).sid
        await instance.send_message(sid, "Hi", ALICE)
        await instance.send_message(sid, "silent")
        await instance.wait_until_idle()
        page = (await api_of(instance).get(EVENTS, After=start)).expect(200)
        added, sent, silent = page["events"]
        assert types_of(page) == ["onConversationAdded", "onMessageAdded", "onMessageAdded"]
        assert [each["fires_webhooks"] for each in page["events"]] == [True, True, False]
        received = [each.values for each in backend.requests_to("/post")]
        shown = [each["parameters"] for each in (added, sent)]
        assert [{**each, "RetryCount": "0"} for each in shown] == received
        assert silent["parameters"]["Body"] == "silent"
        assert (sent["source"], sent["client_identity"]) == ("SDK", "alice")
        assert (sent["conversation_sid"], added["subject_sid"]) == (sid, sid)
        assert "sequence" not in sent
        assert page["after"] == silent["cursor"]
        assert (page["is_more"], page["meta"]["next_page_url"]) == (False, None)

    run_scenario(scenario)


def test_pages_continue_by_cursor_and_by_their_links(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api, start = api_of(instance), await newest(instance)
        sid = (await instance.do("CreateConversation")).sid
        for number in range(4):
            await instance.send_message(sid, str(number))
        whole = (await api.get(EVENTS, After=start)).expect(200)
        cursors = [each["cursor"] for each in whole["events"]]
        assert len(set(cursors)) == 5
        target = f"{EVENTS}?After={start}&PageSize=2"
        by_link: list[str] = []
        while target:
            page = (await api.send("GET", target)).expect(200)
            by_link += [each["cursor"] for each in page["events"]]
            assert page["meta"]["previous_page_url"] is None
            link = page["meta"]["next_page_url"]
            target = link and "?".join(urlsplit(link)[2:4])
        assert by_link == cursors
        rest = (await api.get(EVENTS, After=cursors[2], PageSize=1)).expect(200)
        assert [each["cursor"] for each in rest["events"]] == cursors[3:4]
        assert (rest["after"], rest["is_more"]) == (cursors[3], True)
        assert (await api.get(EVENTS)).expect(200)["events"][-5:] == whole["events"]

    run_scenario(scenario)


def test_filters_are_combined(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api, start = api_of(instance), await newest(instance)
        one = (await instance.do("CreateConversation")).sid
        two = (await instance.do("CreateConversation")).sid
        await instance.send_message(one, "by alice", ALICE)
        await instance.send_message(two, "by nobody")

        async def found(**query: Any) -> list[tuple[str, str]]:
            page = (await api.get(EVENTS, After=start, **query)).expect(200)
            return [(each["event_type"], each["conversation_sid"]) for each in page["events"]]

        added, message = "onConversationAdded", "onMessageAdded"
        assert await found(ConversationSid=two) == [(added, two), (message, two)]
        assert await found(EventType=message) == [(message, one), (message, two)]
        assert len(await found(EventType=[message, added])) == 4
        assert await found(Identity="alice") == [(message, one)]
        assert await found(Source="SDK", ConversationSid=two) == []
        assert await found(Source="API", EventType=added, ConversationSid=two) == [(added, two)]

    run_scenario(scenario)


def test_internal_events_are_not_shown(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        start = await newest(instance)
        await instance.do("CreateService", {"FriendlyName": "Made"})
        page = (await api_of(instance).get(EVENTS, After=start)).expect(200)
        assert (page["events"], page["after"]) == ([], start)

    run_scenario(scenario)


def test_a_waiting_page_answers_with_the_event_that_it_waited_for(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api, start = api_of(instance), await newest(instance)
        waiting = asyncio.create_task(
            api.get(EVENTS, After=start, EventType="onMessageAdded", Wait=30, MinCount=2)
        )
        sid = (await instance.do("CreateConversation")).sid
        await instance.send_message(sid, "1")
        await instance.send_message(sid, "2")
        page = (await waiting).expect(200)
        assert (types_of(page), page["complete"]) == (["onMessageAdded"] * 2, True)
        short = (await api.get(EVENTS, After=page["after"], Wait=0)).expect(200)
        assert (short["events"], short["complete"]) == ([], False)

    run_scenario(scenario)


def test_a_page_ends_after_the_numbers_that_it_may_read_and_a_wait_reads_on(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_NUMBERS_READ_MAX", 3)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api, start = api_of(instance), await newest(instance)
        sid = (await instance.do("CreateConversation")).sid
        for number in range(8):
            await instance.send_message(sid, str(number))
        await instance.do("UpdateConversation", {"FriendlyName": "Last"}, Sid=sid)
        query = {"After": start, "EventType": "onConversationUpdated"}
        first = (await api.get(EVENTS, **query)).expect(200)
        assert (first["events"], first["is_more"]) == ([], True)
        pages = 0
        target = f"{EVENTS}?After={start}&EventType=onConversationUpdated"
        found: list[str] = []
        while target:
            page = (await api.send("GET", target)).expect(200)
            found += types_of(page)
            link = page["meta"]["next_page_url"]
            target, pages = link and "?".join(urlsplit(link)[2:4]), pages + 1
        assert found == ["onConversationUpdated"]
        assert pages >= 4
        waited = (await api.get(EVENTS, **query, Wait=30)).expect(200)
        assert (types_of(waited), waited["complete"]) == (["onConversationUpdated"], True)

    run_scenario(scenario)


def test_cursors_are_of_one_account(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        other, cursor = await other_account(instance), await newest(instance)
        assert (await other.get(EVENTS, After=cursor)).refuses(400, 20001) == "Invalid After."
        sid = (await instance.do("CreateConversation")).sid
        before = (await other.get(EVENTS)).expect(200)
        assert (before["events"], before["after"]) == ([], "start")
        waiting = asyncio.create_task(other.get(EVENTS, Wait=1))
        await instance.send_message(sid, "not theirs")
        page = (await waiting).expect(200)
        assert (page["events"], page["complete"]) == ([], False)
        # Nothing that the account is shown depends on events of others.
        assert (await other.get(EVENTS)).expect(200) == before
        ends = [(await other.get(EVENTS, After="now")).expect(200)["after"] for _ in range(3)]
        assert len(set(ends)) == 3

    run_scenario(scenario)


@pytest.mark.parametrize(
    "query",
    [
        {"After": "12"},
        {"After": "ec_" + "A" * 32},
        {"After": "yesterday"},
        {"EventType": "onNothing"},
        {"EventType": "serviceChanged"},
        {"ConversationSid": "CH1"},
        {"Wait": "31"},
        {"PageToken": "PTEV.nothing"},
    ],
)
def test_an_invalid_query_is_refused(run_scenario: ScenarioRunner, query: dict[str, str]) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        (await api_of(instance).get(EVENTS, **query)).refuses(400, 20001)

    run_scenario(scenario)


@pytest.mark.promise("how-to/follow-events.md", "is answered with 410")
def test_a_cursor_before_deleted_events_is_answered_with_410_and_the_oldest_position(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api, start = api_of(instance), await newest(instance)
        sid = (await instance.do("CreateConversation")).sid
        for number in range(4):
            await instance.send_message(sid, str(number))
        await instance.wait_until_idle()
        whole = (await api.get(EVENTS, After=start)).expect(200)["events"]

        async def delete(tx: Transaction) -> int:
            names = [each.sink.name for each in instance.app.dispatcher._runners]
            for name in names:
                await event_log.save_position(tx, name, await event_log.visible_through(tx))
            oldest = await event_log.oldest_sequence(tx)
            newest_number = await event_log.newest_sequence(tx)
            return await event_log.delete_old_events(
                tx, names, tx.now + 1000, newest_number - oldest - 1
            )

        assert await instance.store.write(delete)
        error = (await api.get(EVENTS, After=start)).expect(410)
        assert error["code"] == 20410
        again = (await api.get(EVENTS, After=error["oldest"])).expect(200)
        assert again["events"] == (await api.get(EVENTS)).expect(200)["events"] == whole[-2:]
        await newest(instance)

    run_scenario(scenario)


def test_newest_first_is_the_reverse_and_pages_meet(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = api_of(instance)
        other = await other_account(instance)
        for number in range(30):
            await (api if number % 3 else other).post("/v1/Users", {"Identity": f"user {number}"})
        # With several connections the newest are not visible while an older transaction is open.
        oldest_first = (await api.get(EVENTS, Wait=30, MinCount=20)).expect(200)["events"]
        found, path = [], f"{EVENTS}?Order=desc&PageSize=3"
        while path:
            page = (await api.get(path)).expect(200)
            found += page["events"]
            following = page["meta"]["next_page_url"]
            path = following and urlsplit(following)._replace(scheme="", netloc="").geturl()
        assert found == oldest_first[::-1]
        some = (await api.get(EVENTS, Order="desc", Identity="nobody")).expect(200)
        assert some["events"] == []
        (await api.get(EVENTS, Order="desc", After="start")).refuses(400, 20001)
        (await api.get(EVENTS, Order="desc", Wait=1)).refuses(400, 20001)

    run_scenario(scenario)
