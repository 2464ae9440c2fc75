"""Attempts of webhooks lead to their event, their request, and the other attempts of a delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from parlour.resources import account_setup
from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    WITH_HEADER,
    ScenarioRunner,
    scenario_runner,
)
from tests.events.webhook_backend import respond_with
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import Responder, WebhookBackend, WebhookRequest

ATTEMPTS, EVENTS = "/parlour/v1/WebhookAttempts", "/parlour/v1/Events"
OTHER_SID = "AC" + "0" * 31 + "2"
OTHER_TOKEN = "another auth token of a test"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def api_of(instance: InProcessServer) -> InProcessApi:
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


async def attempts(api: InProcessApi, **query: Any) -> list[dict[str, Any]]:
    """Return the first page of attempts."""
    found: list[dict[str, Any]] = (await api.get(ATTEMPTS, **query)).expect(200)["webhook_attempts"]
    return found


def sids_of(found: list[dict[str, Any]]) -> list[str]:
    return [each["sid"] for each in found]


def failing_once() -> Responder:
    """Return a responder that fails the first message."""
    answers = iter([respond_with(500)])

    async def answer(request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
        is_message = request.event == "onMessageAdded"
        await (next(answers, respond_with(200)) if is_message else respond_with(200))(
            request, writer
        )

    return answer


async def create(api: InProcessApi, path: str, **form: str) -> tuple[dict[str, Any], str]:
    """Create an object with webhooks; return it, and the SID of the request."""
    body = "&".join(f"{name}={text}" for name, text in form.items()).encode()
    answer = await api.send("POST", path, body, x_twilio_webhook_enabled="true")
    made: dict[str, Any] = answer.expect(201)
    return made, str(dict(answer.headers)[b"twilio-request-id"].decode())


def test_an_attempt_leads_to_its_event_its_request_and_its_delivery(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        backend.responders["/post"] = failing_once()
        await instance.enable_webhooks(backend, PreWebhookUrl="")
        api = api_of(instance)
        chat, _ = await create(api, "/v1/Conversations")
        path = f"/v1/Conversations/{chat['sid']}/Messages"
        sent = [await create(api, path, Body=body) for body in ("first", "second")]
        of_messages = {"ConversationSid": chat["sid"], "EventType": "onMessageAdded"}
        await api.get(ATTEMPTS, **of_messages, Wait=30, MinCount=3)
        last, retried, failed = await attempts(api, **of_messages)
        assert [each["outcome"] for each in (failed, retried, last)] == [
            "retrying",
            "delivered",
            "delivered",
        ]
        assert {each["attempts_max"] for each in (failed, retried, last)} == {18}
        assert [each["request_sid"] for each in (failed, retried, last)] == [
            sent[0][1],
            sent[0][1],
            sent[1][1],
        ]
        # All attempts of one delivery, from any of them.
        for each in (failed, retried):
            assert sids_of(await attempts(api, AttemptSid=each["sid"])) == [
                retried["sid"],
                failed["sid"],
            ]
        assert sids_of(await attempts(api, AttemptSid=last["sid"])) == [last["sid"]]
        # From the request to its events, and from an event to its attempts.
        page = (await api.get(EVENTS, RequestSid=sent[0][1])).expect(200)
        (event,) = page["events"]
        assert event["cursor"] == failed["event_cursor"] == retried["event_cursor"]
        found = await attempts(api, EventCursor=event["cursor"])
        assert sids_of(found) == [retried["sid"], failed["sid"]]
        found = await attempts(api, EventCursor=event["cursor"], Outcome="retrying", PageSize=1)
        assert sids_of(found) == [failed["sid"]]
        other = {"ConversationSid": "CH" + "0" * 32}
        assert await attempts(api, EventCursor=event["cursor"], **other) == []
        fetched = (await api.get(f"{ATTEMPTS}/{failed['sid']}")).expect(200)
        assert fetched == failed

    run_scenario(scenario)


def test_a_replay_is_an_attempt_of_the_same_delivery(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        api = api_of(instance)
        await instance.do("CreateConversation", origin=WITH_HEADER)
        page = await api.get(ATTEMPTS, EventType="onConversationAdded", Wait=30)
        (first,) = page.expect(200)["webhook_attempts"]
        replayed = (await api.post(f"{ATTEMPTS}/{first['sid']}/Replay")).expect(202)
        assert replayed["event_cursor"] == first["event_cursor"]
        await api.get(ATTEMPTS, AttemptSid=first["sid"], Wait=30, MinCount=2)
        again, before = await attempts(api, AttemptSid=first["sid"])
        assert (before["sid"], again["outcome"]) == (first["sid"], "delivered")
        assert again["idempotency_token"] == first["idempotency_token"]
        # A pre-action webhook has no event, and one attempt.
        (asked,) = await attempts(api, EventType="onConversationAdd")
        assert (asked["event_cursor"], asked["attempts_max"]) == (None, 1)
        assert sids_of(await attempts(api, AttemptSid=asked["sid"])) == [asked["sid"]]

    run_scenario(scenario)


def test_the_number_of_attempts_follows_the_schedule(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        api = api_of(instance)
        await api.post("/parlour/v1/WebhookRetries", {"Retries": "hosted"})
        sid = (await instance.do("CreateConversation")).sid
        filters = ["onMessageAdded"]
        await instance.attach(sid, Url=backend.url("/post"), Filters=filters)
        await instance.send_message(sid, "Hi", WITH_HEADER)
        page = (await api.get(ATTEMPTS, ConversationSid=sid, Wait=30)).expect(200)
        assert [each["attempts_max"] for each in page["webhook_attempts"]] == [1]
        await api.post("/parlour/v1/WebhookRetries", {"Retries": ""})
        assert [each["attempts_max"] for each in await attempts(api)] == [18]

    run_scenario(scenario)


def test_attempts_of_a_url_are_found(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        api = api_of(instance)
        sid = (await instance.do("CreateConversation")).sid
        for path in ("/one", "/two"):
            await instance.attach(sid, Url=backend.url(path), Filters=["onMessageAdded"])
        for body in ("1", "2", "3"):
            await instance.send_message(sid, body, WITH_HEADER)
        await api.get(ATTEMPTS, Wait=30, MinCount=6)
        url = backend.url("/two")
        found = await attempts(api, Url=url)
        assert [each["request"]["url"] for each in found] == [url] * 3
        page = (await api.get(ATTEMPTS, Url=url, PageSize=2)).expect(200)
        assert sids_of(page["webhook_attempts"]) == sids_of(found[:2])
        link = urlsplit(page["meta"]["next_page_url"])
        following = (await api.get(f"{link.path}?{link.query}")).expect(200)
        assert sids_of(following["webhook_attempts"]) == sids_of(found[2:])
        assert await attempts(api, Url=url, Outcome="failed") == []
        assert len(await attempts(api, Url=url, ConversationSid=sid)) == 3
        assert await attempts(api, Url=backend.url("/t")) == []

    run_scenario(scenario)


def test_wrong_and_foreign_filters(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        async def create_other(tx: Transaction) -> None:
            await account_setup.create_account(
                tx, instance.app.vault, sid=OTHER_SID, auth_token=OTHER_TOKEN, friendly_name="Other"
            )

        await instance.store.write(create_other)
        await instance.enable_webhooks(backend)
        api, other = api_of(instance), InProcessApi(instance.app.server, OTHER_SID, OTHER_TOKEN)
        await instance.do("CreateConversation", origin=WITH_HEADER)
        page = await api.get(ATTEMPTS, EventType="onConversationAdded", Wait=30)
        (attempt,) = page.expect(200)["webhook_attempts"]
        assert await attempts(other, AttemptSid=attempt["sid"]) == []
        assert await attempts(other, Url=attempt["request"]["url"]) == []
        cursor = attempt["event_cursor"]
        (await other.get(ATTEMPTS, EventCursor=cursor)).refuses(400, 20001)
        (await api.get(ATTEMPTS, EventCursor="start")).refuses(400, 20001)
        (await api.get(ATTEMPTS, AttemptSid="NO1")).refuses(400, 20001)
        both = {"EventCursor": cursor, "AttemptSid": attempt["sid"]}
        (await api.get(ATTEMPTS, **both)).refuses(400, 20001)
        (await api.get(ATTEMPTS, Url="x" * (limits.URL_CHARS_MAX + 1))).refuses(400, 20001)

    run_scenario(scenario)
