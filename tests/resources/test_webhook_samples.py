"""Samples and signatures of webhooks: checked with the official validator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from twilio.request_validator import RequestValidator

from parlour.resources.webhook_forms import parameter_names
from parlour.resources.webhook_samples.examples import EVENTS, ONLY_OF_CHANNELS, VALUES
from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    ScenarioRunner,
    scenario_runner,
)
from tests.events.webhook_backend import respond_with
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

SAMPLES = "/parlour/v1/WebhookSamples"
SIGNATURES = "/parlour/v1/WebhookSignatures"
VALIDATOR = RequestValidator(AUTH_TOKEN)


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def api_of(instance: InProcessServer) -> InProcessApi:
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


def test_a_sample_of_each_event_is_signed_and_its_response_shown(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        backend.responders["/hook"] = respond_with(500, "broken")
        api, url = api_of(instance), backend.url("/hook", "user:pw@")
        for event_name in EVENTS:
            shown = (await api.post(SAMPLES, {"EventType": event_name, "Url": url})).expect(200)
            assert shown["response"] == {"status": 500, "body_start": "broken"}
            assert (shown["error"], shown["request"]["method"]) == (None, "POST")
            assert "user" not in shown["request"]["url"]
            received = backend.requests[-1]
            assert received.values == shown["request"]["parameters"]
            assert received.event == event_name
            assert received.values["AccountSid"] == ACCOUNT_SID
            signature = received.headers["x-twilio-signature"]
            assert VALIDATOR.validate(backend.url("/hook"), received.values, signature)
        attempts = (await api.get("/parlour/v1/WebhookAttempts")).expect(200)
        assert attempts["webhook_attempts"] == []
        assert (await api.get("/parlour/v1/Events")).expect(200)["events"] == []

    run_scenario(scenario)


def test_parameters_replace_those_of_the_example(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        fields = {"Body": "Changed & more", "Extra": "1"}
        form = {"EventType": "onMessageAdded", "Url": backend.url("/hook?x=1"), "Method": "get"}
        shown = (
            await api_of(instance).post(SAMPLES, {**form, "Parameters": json.dumps(fields)})
        ).expect(200)
        received = backend.requests[-1]
        assert received.method == "GET"
        expected = {**fields, "x": "1", "EventType": "onMessageAdded"}
        assert received.values.items() >= expected.items()
        assert shown["request"]["parameters"].items() >= fields.items()
        url = backend.url(received.target)
        assert VALIDATOR.validate(url, {}, received.headers["x-twilio-signature"])

    run_scenario(scenario)


def test_a_receiver_that_cannot_be_reached_is_an_error_of_the_sample(tmp_path: Path) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        form = {"EventType": "onUserAdded", "Url": "http://127.0.0.1:9/"}
        shown = (await api_of(instance).post(SAMPLES, form)).expect(200)
        assert (shown["response"], shown["error_code"] is None) == (None, False)
        assert shown["error"]

    scenario_runner(tmp_path / "data")(scenario)


def test_a_private_address_passes_the_guard_only_if_webhooks_may_go_there(tmp_path: Path) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        form = {"EventType": "onUserAdded", "Url": backend.url("/hook")}
        shown = (await api_of(instance).post(SAMPLES, form)).expect(200)
        assert shown["response"] is None
        assert shown["error"]
        assert backend.requests == []

    scenario_runner(tmp_path / "data", webhook_allow_private="no")(scenario)


def test_each_parameter_of_an_event_has_an_example() -> None:
    fixed = {"EventType", "AccountSid", "ChatServiceSid"}
    dates = {"DateCreated", "DateUpdated", "DateRemoved", "StateUpdated"}
    names = set().union(*(parameter_names(each) for each in EVENTS))
    assert names == fixed | dates | ONLY_OF_CHANNELS | VALUES.keys()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://example.com:8080",
        "https://user:pw@example.com/hook?a=1&b=%20#fragment",
        "https://example.com/höök",
    ],
)
def test_a_signature_is_valid_for_the_url_that_is_shown(
    run_scenario: ScenarioRunner, url: str
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = api_of(instance)
        fields = {"Body": "Grüße & 50%", "Author": "alice", "Empty": ""}
        shown = (await api.post(SIGNATURES, {"Url": url, "Parameters": json.dumps(fields)})).expect(
            200
        )
        assert shown["header"] == "X-Twilio-Signature"
        assert VALIDATOR.validate(shown["url"], fields, shown["signature"])
        assert not VALIDATOR.validate(shown["url"], {**fields, "Body": "x"}, shown["signature"])
        assert shown["signed_string"] == shown["url"] + "AuthoraliceBodyGrüße & 50%Empty"
        body = json.dumps([{"type": "x", "data": {"ü": 1}}], ensure_ascii=False)
        of_body = (await api.post(SIGNATURES, {"Url": url, "Body": body})).expect(200)
        assert "bodySHA256=" in of_body["url"]
        assert of_body["signed_string"] == of_body["url"]
        assert VALIDATOR.validate(of_body["url"], body, of_body["signature"])
        assert not VALIDATOR.validate(of_body["url"], f"{body} ", of_body["signature"])
        by_get = (await api.post(SIGNATURES, {"Url": url})).expect(200)
        assert VALIDATOR.validate(by_get["url"], {}, by_get["signature"])

    run_scenario(scenario)


URL = "https://example.com/"
TOO_MANY = {str(number): "" for number in range(limits.SAMPLE_PARAMETERS_MAX + 1)}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (SAMPLES, {"Url": URL}),
        (SAMPLES, {"EventType": "onNothing", "Url": URL}),
        (SAMPLES, {"EventType": "onUserAdded"}),
        (SAMPLES, {"EventType": "onUserAdded", "Url": "ftp://example.com"}),
        (SAMPLES, {"EventType": "onUserAdded", "Url": URL, "Method": "PUT"}),
        (SAMPLES, {"EventType": "onUserAdded", "Url": URL, "Parameters": "[]"}),
        (SAMPLES, {"EventType": "onUserAdded", "Url": URL, "Parameters": '{"a":1}'}),
        (SIGNATURES, {}),
        (SIGNATURES, {"Url": "https://h@ost@x/"}),
        (SIGNATURES, {"Url": URL, "Parameters": "no JSON"}),
        (SIGNATURES, {"Url": URL, "Parameters": "{}", "Body": "{}"}),
        (SIGNATURES, {"Url": URL, "Parameters": json.dumps(TOO_MANY)}),
        (SIGNATURES, {"Url": URL, "Parameters": " " * (limits.SAMPLE_JSON_CHARS_MAX + 1)}),
    ],
)
def test_an_invalid_form_is_refused(
    run_scenario: ScenarioRunner, path: str, form: dict[str, Any]
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        (await api_of(instance).post(path, form)).refuses(400, 20001)

    run_scenario(scenario)
