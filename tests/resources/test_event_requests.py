"""Events name the request that caused them, and are found by it and by a date."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from parlour.store import event_log
from parlour.vocabulary.scope import Scope
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
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
NO_REQUEST = "RQ" + "0" * 31 + "1"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def request_sid_of(answer: Any) -> str:
    """Return the SID of the request of a response."""
    return str(dict(answer.headers)[b"twilio-request-id"].decode())


async def events(api: InProcessApi, **query: Any) -> list[dict[str, Any]]:
    """Return the first page of events."""
    found: list[dict[str, Any]] = (await api.get(EVENTS, **query)).expect(200)["events"]
    return found


def test_events_name_their_request_and_are_found_by_it(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        made = await api.post("/v1/Conversations", {"UniqueName": "order-1"})
        path = f"/v1/Conversations/{made.expect(201)['sid']}"
        added = await api.post(f"{path}/Participants", {"Identity": "alice"})
        sent = await api.post(f"{path}/Messages", {"Author": "alice", "Body": "Hi"})
        answers = {request_sid_of(each): each.expect(201)["sid"] for each in (made, added, sent)}
        shown = {each["subject_sid"]: each["request_sid"] for each in await events(api)}
        for request_sid, subject_sid in answers.items():
            assert shown[subject_sid] == request_sid
            found = await events(api, RequestSid=request_sid)
            assert subject_sid in {each["subject_sid"] for each in found}
            assert {each["request_sid"] for each in found} == {request_sid}
        # One request may cause several events: a participant's user is created with it.
        (added_sid,) = (sid for sid, subject in answers.items() if subject.startswith("MB"))
        found = await events(api, RequestSid=added_sid)
        assert {each["event_type"] for each in found} == {"onParticipantAdded", "onUserAdded"}
        assert await events(api, RequestSid=NO_REQUEST) == []
        (await api.get(EVENTS, RequestSid="RQ1")).refuses(400, 20001)

    run_scenario(scenario)


def test_an_effect_without_a_request_names_none(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        await instance.do("CreateConversation")
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        assert [each["request_sid"] for each in await events(api)] == [None]

    run_scenario(scenario)


def test_a_text_that_looks_like_the_member_is_not_a_request(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        forged = f'","request_sid":"{NO_REQUEST}"}}'
        made = await api.post("/v1/Conversations", {"FriendlyName": forged})
        assert made.expect(201)["friendly_name"] == forged
        assert await events(api, RequestSid=NO_REQUEST) == []
        (shown,) = await events(api)
        assert shown["request_sid"] == request_sid_of(made)

    run_scenario(scenario)


def test_a_page_begins_at_a_date(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)

        async def emit(tx: Transaction) -> None:
            for _ in range(3):
                await tx.emit(Scope(ACCOUNT_SID), "onUserAdded", subject_sid="US1", payload={})

        await instance.store.write(emit)
        await api.post("/v1/Conversations")
        every = await events(api)
        today = datetime.now(UTC).date().isoformat()
        assert await events(api, Since=today) == every
        assert await events(api, Since="2020-01-01") == every
        page = (await api.get(EVENTS, Since="2099-01-01")).expect(200)
        assert (page["events"], page["is_more"]) == ([], False)
        # The position of an empty page is the end of the log.
        made = (await api.post("/v1/Conversations")).expect(201)
        (later,) = await events(api, After=page["after"])
        assert later["subject_sid"] == made["sid"]
        (await api.get(EVENTS, Since="yesterday")).refuses(400, 20001)

    run_scenario(scenario)


@pytest.mark.parametrize("holes", [False, True])
def test_the_position_of_a_date_is_found_among_the_numbers(
    run_scenario: ScenarioRunner, *, holes: bool
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        # Each date three times, from 1000 to 1900.
        dates = [1000 + 100 * (number // 3) for number in range(30)]

        async def emit(tx: Transaction) -> None:
            for _ in range(2 * len(dates)):
                await tx.emit(Scope(ACCOUNT_SID), "onUserAdded", subject_sid="US1", payload={})

        async def set_dates(tx: Transaction) -> None:
            rows = await tx.all("SELECT sequence FROM event ORDER BY sequence LIMIT 100")
            numbers = [row[0] for row in rows]
            used = numbers[::2] if holes else numbers[: len(dates)]
            for number in set(numbers) - set(used):
                await tx.run("DELETE FROM event WHERE sequence = $1", number)
            for number, date_ms in zip(used, dates, strict=True):
                await tx.run("UPDATE event SET date_ms = $1 WHERE sequence = $2", date_ms, number)

        await instance.store.write(lambda tx: tx.run("DELETE FROM event"))
        await instance.store.write(emit)
        await instance.store.write(set_dates)

        async def first_after(date_ms: int, tx: Transaction) -> int | None:
            position = await event_log.sequence_before(tx, date_ms)
            rows = await tx.all(event_log.FIRST_FROM, position + 1)
            return rows[0][1] if rows else None

        for date_ms in (0, 999, 1000, 1001, 1450, 1900, 1901):
            found = await instance.store.read(partial(first_after, date_ms))
            assert found == min((each for each in dates if each >= date_ms), default=None)

    run_scenario(scenario)
