"""The endpoints of webhooks: backlog, concurrency and last results of each URL, and retries now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    WITH_HEADER,
    InProcessServer,
    ScenarioRunner,
    poll_until,
    scenario_runner,
)
from tests.events.webhook_backend import hang_up, respond_with
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend

PATH = "/parlour/v1/WebhookEndpoints"
RETRY = f"{PATH}/Retry"
ROOT = "http://localhost"
HALF_AN_HOUR_MS = 30 * 60 * 1000
NONE = {"count": 0, "at_least": False}


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def api_of(instance: InProcessServer) -> InProcessApi:
    """Return the account's client."""
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


async def endpoints(instance: InProcessServer, **query: Any) -> dict[str, dict[str, Any]]:
    """Return the listed endpoints by URL."""
    page = (await api_of(instance).get(PATH, **query)).expect(200)
    return {each["url"]: each for each in page["webhook_endpoints"]}


async def failing_lanes(
    instance: InProcessServer, backend: WebhookBackend, count: int, path: str = "/s"
) -> str:
    """Let messages of several conversations fail at a URL, for an hour; return the URL."""
    backend.responders[path] = respond_with(500, "", "Retry-After: 3600")
    url = backend.url(path)
    for _ in range(count):
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(sid, Url=url, Filters="onMessageAdded")
        for body in ("one", "two"):
            await instance.send_message(sid, body, WITH_HEADER)

    async def all_failed() -> bool:
        found = (await endpoints(instance)).get(url)
        if found is None or found["date_next_attempt"] is None:
            return False
        next_ms = 1000 * datetime.fromisoformat(found["date_next_attempt"]).timestamp()
        is_later = next_ms > instance.app.clock.now_ms() + HALF_AN_HOUR_MS
        return is_later and found["waiting"]["count"] == 2 * count

    await poll_until(all_failed)
    return url


def test_a_failing_endpoint_is_listed_with_its_backlog_and_its_reason(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        url = await failing_lanes(instance, backend, 2)

        async def recorded() -> bool:
            return (await endpoints(instance))[url]["in_flight"] == 0

        await poll_until(recorded)
        found = (await endpoints(instance))[url]
        assert found["waiting"] == {"count": 4, "at_least": False}
        assert found["lanes"] == {"count": 2, "at_least": False}
        assert found["date_oldest"] is not None
        assert found["date_next_attempt"] > found["date_oldest"]
        assert found["state"] == "answering"
        assert found["at_once_max"] >= 1
        assert found["date_last_success"] is None
        failure = found["last_failure"]
        assert failure["text"].startswith("The receiver answered 500 after ")
        assert failure["status"] == 500

    run_scenario(scenario)


def test_a_working_endpoint_shows_its_last_success_and_the_failure_before_it(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        url = await failing_lanes(instance, backend, 1)
        del backend.responders["/s"]
        (await api_of(instance).post(RETRY, {"Url": url})).expect(202)
        await instance.wait_until_idle()
        found = (await endpoints(instance))[url]
        assert found["waiting"] == found["lanes"] == NONE
        assert found["date_next_attempt"] is found["date_oldest"] is None
        assert found["date_last_success"] > found["last_failure"]["date"]

    run_scenario(scenario)


def test_a_retry_sends_the_head_of_each_lane_at_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        url = await failing_lanes(instance, backend, 3)
        other = await failing_lanes(instance, backend, 1, "/other")
        del backend.responders["/s"]
        done = (await api_of(instance).post(RETRY, {"Url": url})).expect(202)
        assert done == {"account_sid": ACCOUNT_SID, "url": url, "retried": 3, "has_more": False}

        async def all_arrived() -> bool:
            return (await endpoints(instance))[url]["waiting"] == NONE

        await poll_until(all_arrived)
        # The first three attempts failed, then the six messages came, each lane in order.
        assert len(backend.requests_to("/s")) == 9
        assert len(backend.requests_to("/other")) == 1
        assert (await endpoints(instance))[other]["waiting"]["count"] == 2
        again = (await api_of(instance).post(RETRY, {"Url": url})).expect(202)
        assert again["retried"] == 0

    run_scenario(scenario)


def test_a_retry_of_too_many_lanes_has_more(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LANES_RETRIED_MAX", 2)

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        url = await failing_lanes(instance, backend, 3)
        backend.responders["/s"] = respond_with(200)
        first = (await api_of(instance).post(RETRY, {"Url": url})).expect(202)
        assert (first["retried"], first["has_more"]) == (2, True)
        second = (await api_of(instance).post(RETRY, {"Url": url})).expect(202)
        assert (second["retried"], second["has_more"]) == (1, False)

    run_scenario(scenario)


def test_counts_are_bounded(run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        url = await failing_lanes(instance, backend, 3)
        monkeypatch.setattr(limits, "DELIVERIES_COUNTED_MAX", 5)
        assert (await endpoints(instance))[url]["waiting"] == {"count": 5, "at_least": True}
        monkeypatch.setattr(limits, "LANES_COUNTED_MAX", 2)
        found = (await endpoints(instance))[url]
        assert found["lanes"] == {"count": 2, "at_least": True}
        assert found["waiting"] == {"count": 4, "at_least": True}

    run_scenario(scenario)


def test_pages_have_each_endpoint_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        urls = [backend.url(f"/{number}") for number in range(5)]
        for url in urls:
            await instance.attach(sid, Url=url, Filters="onMessageAdded")
        await instance.send_message(sid, "x", WITH_HEADER)
        await instance.wait_until_idle()
        found: list[str] = []
        page = (await api_of(instance).get(PATH, PageSize=2)).expect(200)
        while True:
            found += [each["url"] for each in page["webhook_endpoints"]]
            following = page["meta"]["next_page_url"]
            if following is None:
                break
            page = (await api_of(instance).get(following.removeprefix(ROOT))).expect(200)
        assert found == urls
        previous = page["meta"]["previous_page_url"].removeprefix(ROOT)
        before = (await api_of(instance).get(previous)).expect(200)
        assert [each["url"] for each in before["webhook_endpoints"]] == urls[2:4]

    run_scenario(scenario)


def test_passwords_in_urls_are_neither_shown_nor_needed(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        backend.responders["/s"] = respond_with(500)
        shown = backend.url("/s")
        whole = shown.replace("://", "://user:secret@")
        sid = (await instance.do("CreateConversation")).sid
        for url in (whole, backend.url("/t")):
            await instance.attach(sid, Url=url, Filters="onMessageAdded")
        await instance.send_message(sid, "x", WITH_HEADER)

        async def failed() -> bool:
            found = (await endpoints(instance)).get(shown)
            return found is not None and found["last_failure"] is not None

        await poll_until(failed)
        page = await api_of(instance).get(PATH, PageSize=1)
        assert "secret" not in page.body.decode()
        assert "secret" not in (await api_of(instance).get(PATH)).body.decode()
        done = (await api_of(instance).post(RETRY, {"Url": shown})).expect(202)
        assert (done["url"], done["retried"]) == (shown, 1)

    run_scenario(scenario)


def test_an_unknown_url_is_refused(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        for form in ({"Url": backend.url("/never")}, {"Url": "nonsense"}, {}):
            refused = (await api_of(instance).post(RETRY, form)).expect(400)
            assert refused["code"] in {20001, 50600}

    run_scenario(scenario)


def test_pre_action_webhooks_are_endpoints(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.wait_until_idle()

        async def logged() -> bool:
            found = (await endpoints(instance)).get(backend.url("/pre"))
            return found is not None and found["date_last_success"] is not None

        await poll_until(logged)

    run_scenario(scenario)


def test_a_closed_connection_is_described(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await failing_lanes(instance, backend, 1)
        backend.responders["/s"] = hang_up
        (await api_of(instance).post(RETRY, {"Url": backend.url("/s")})).expect(202)

        async def described() -> bool:
            failure = (await endpoints(instance))[backend.url("/s")]["last_failure"]
            return bool(failure["status"] is None and "connection" in failure["text"].lower())

        await poll_until(described)

    run_scenario(scenario)
