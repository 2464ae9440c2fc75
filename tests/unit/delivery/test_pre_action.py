"""Pre-action webhooks: whether one is called, the effect of each response, and its log entry."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from parlour.delivery.pre_action import PreActionAttempt, PreActionWebhooks
from parlour.delivery.targets import WebhookTarget
from parlour.egress.client import OutboundResponse
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.operations.operation import Operation, OperationSpec, UrlForm
from parlour.operations.parameters import Parameters, form_field
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.service_webhook_configuration.store import ServiceWebhookConfiguration
from parlour.resources.services import store as service_store
from parlour.resources.services.store import Service
from parlour.store.transaction import DryRun, EmittedEvent, in_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope
from parlour.vocabulary.unset import UNSET
from tests.support.zero_random import ZeroRandom
from tests.unit.delivery.database import Database, run_on_database
from tests.unit.delivery.webhook_rows import PRE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from parlour.egress.client import OutboundRequest

SERVICE = "IS" + "0" * 32
SCOPE = Scope("AC1", SERVICE)
FILTERS = json.dumps(["onMessageAdd", "onMessageRemove", "onConversationUpdate"])
UUID_OF_ZEROS = "00000000-0000-4000-8000-000000000000"


def _text(name: str, text: str) -> str:
    if text == "wrong":
        raise ApiError.invalid(name)
    return text


def _name(name: str, text: str) -> Any:
    return _text(name, text) or UNSET


class MessageForm(Parameters):
    """Parameters that a webhook may amend."""

    body: Any = form_field("Body", _text)
    author: Any = form_field("Author", _text)
    attributes: Any = form_field("Attributes", _text)
    friendly_name: Any = form_field("FriendlyName", _name)


class PreActionHarness:
    """Pre-action webhooks of an account with a service, and the receiver of their requests."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.response: OutboundResponse | Exception = response(b"")
        self.requests: list[OutboundRequest] = []
        self.attempts: list[PreActionAttempt] = []
        self.webhooks = PreActionWebhooks(
            database.store,
            self.send,
            clock=database.clock,
            random=ZeroRandom(),
            auth_token_of=self.auth_token_of,
            record=self.attempts.append,
        )

    async def auth_token_of(self, account_sid: str) -> str:
        return f"token of {account_sid}"

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.requests.append(request)
        self.database.clock.advance(7)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    async def subscribe(self, **changes: Any) -> None:
        """Write the service and its webhook."""
        service = Service("AC1", SERVICE, 1, "a service", 0, 0)
        await self.database.write_settings(service_store.insert_service, Scope("AC1"), service)
        values = {"pre_webhook_url": PRE, "filters": FILTERS} | changes
        made = ServiceWebhookConfiguration("AC1", SERVICE, **values)
        save = service_webhook_configuration_store.save_service_webhook_configuration
        await self.database.write_settings(save, SCOPE, made)

    async def amend(self, form: dict[str, str], event_name: str = "onMessageAdd") -> MessageForm:
        """Return the parameters of a call after its webhook."""
        noun = "conversation" if "Conversation" in event_name else "message"
        after = event_name + ("d" if event_name.endswith("e") else "ed")
        dry_run = DryRun(None, (emitted("userRemoved", noun), emitted(after, noun)))
        found = await self.webhooks.amend(call(form, event_name), dry_run)
        assert isinstance(found, MessageForm)
        return found


def response(body: bytes, status: int = 200, *, is_truncated: bool = False) -> OutboundResponse:
    return OutboundResponse(status, (), body, elapsed_ms=1, is_truncated=is_truncated)


def emitted(name: str = "onMessageAdded", noun: str = "message") -> EmittedEvent:
    payload = {noun: {"body": "b"}, "previous_date_updated": 0}
    origin = Origin("SDK", "alice", fires=True)
    return EmittedEvent(name, SCOPE, "CH1", "IM1", origin, json.dumps(payload))


async def _no_action(*_: Any) -> None:
    return None


def call(
    form: dict[str, str], event_name: str | None = "onMessageAdd", service_sid: str = SERVICE
) -> Call[Any]:
    spec = OperationSpec(
        verb="Create",
        method="POST",
        on_instance=False,
        status=201,
        action=_no_action,
        parameters=MessageForm,
        pre_action=event_name,
    )
    values = {name: [value] for name, value in form.items()}
    return Call(
        operation=Operation(
            operation_id="CreateThing",
            method="POST",
            path="/v1/Things",
            url_form=UrlForm.SERVICE,
            spec=spec,
            represent=lambda record, _view: record,
        ),
        caller=Caller("AC1", "AC1"),
        path={"ChatServiceSid": service_sid},
        resource="/Services",
        form=values,
        parsed=MessageForm.parse(values),
    )


@pytest.fixture
def play(
    tmp_path: Path,
) -> Callable[[Callable[[PreActionHarness], Coroutine[Any, Any, None]]], None]:
    """Run a scenario on a new harness."""

    def run(scenario: Callable[[PreActionHarness], Coroutine[Any, Any, None]]) -> None:
        async def on(database: Database) -> None:
            await scenario(PreActionHarness(database))

        run_on_database(tmp_path, on)

    return run


# --- Whether there is a webhook -----------------------------------------------------------


def test_a_call_wants_the_webhook_of_its_service_and_event(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        async def wants(made: Call[Any]) -> bool:
            found: bool = await harness.database.store.read(
                lambda tx: harness.webhooks.wants(tx, made)
            )
            return found

        assert not await wants(call({}))  # The service does not exist: the action fails.
        await harness.subscribe()
        assert await wants(call({}))
        assert not await wants(call({}, "onMessageUpdate"))
        assert not await wants(call({}, service_sid="not a sid"))
        with pytest.raises(AssertionError):
            await wants(call({}, None))

    play(scenario)


def test_a_subscription_is_that_of_the_scope_and_the_event(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        assert await harness.webhooks.is_subscribed(SCOPE, "onMessageAdd")
        assert not await harness.webhooks.is_subscribed(SCOPE, "onMessageUpdate")
        assert not await harness.webhooks.is_subscribed(Scope("AC1", "IS1"), "onMessageAdd")

    play(scenario)


def test_without_a_webhook_the_action_continues_and_nothing_is_sent(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        made = await harness.amend({"Body": "b"})
        await harness.webhooks.check("onMessageAdd", emitted())
        assert made == MessageForm(body="b")
        assert (harness.requests, harness.attempts) == ([], [])

    play(scenario)


def test_an_action_without_its_event_calls_no_webhook(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        made = call({"Body": "b"})
        dry_run = DryRun(None, (emitted("onMessageUpdated"),))
        assert await harness.webhooks.amend(made, dry_run) is made.parameters
        assert harness.requests == []

    play(scenario)


def test_a_webhook_inside_a_transaction_is_a_bug(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        token = in_transaction.set(True)
        with pytest.raises(AssertionError):
            await harness.webhooks.check("onMessageAdd", emitted())
        in_transaction.reset(token)
        assert harness.requests == []

    play(scenario)


# --- The request --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_request_is_signed_and_bounded_for_a_waiting_caller(play: Any, method: str) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe(method=method)
        await harness.amend({"Body": "b"})
        (request,) = harness.requests
        assert (request.method, request.account_sid) == (method, "AC1")
        assert request.headers["I-Twilio-Idempotency-Token"] == UUID_OF_ZEROS
        assert request.is_caller_waiting
        assert request.read_bytes_max == limits.PRE_ACTION_RESPONSE_BYTES_READ_MAX
        assert request.slot_wait_ms_max == limits.WEBHOOK_SECONDS_MAX * 1000
        (attempt,) = harness.attempts
        values = attempt.parameters | {"RetryCount": "0"}
        url = PRE if method == "POST" else f"http://h.test{request.url.target}"
        signed = values if method == "POST" else {}
        validator = RequestValidator("token of AC1")
        assert validator.validate(url, signed, request.headers["X-Twilio-Signature"])

    play(scenario)


def test_a_slow_receiver_ends_with_a_timeout(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_SECONDS_MAX", 0.01)

    async def scenario(harness: PreActionHarness) -> None:
        async def hang(_request: OutboundRequest) -> OutboundResponse:
            await asyncio.sleep(60)
            raise AssertionError

        monkeypatch.setattr(harness.webhooks, "_send_request", hang)
        await harness.subscribe()
        assert await harness.amend({"Body": "b"}) == MessageForm(body="b")
        (attempt,) = harness.attempts
        assert (attempt.outcome, attempt.error_code) == ("failed", 50076)
        assert attempt.error == "timeout "

    play(scenario)


# --- Responses ----------------------------------------------------------------------------


def test_members_of_the_response_replace_parameters(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(
            b'\xef\xbb\xbf {"body":"new","author":null,"attributes":{"a": 1},"other":2} '
        )
        made = await harness.amend({"Body": "b", "Author": "bob"})
        assert made == MessageForm(body="new", author="bob", attributes='{"a": 1}')
        (attempt,) = harness.attempts
        assert attempt == PreActionAttempt(
            scope=SCOPE,
            conversation_sid="CH1",
            event_name="onMessageAdd",
            target=WebhookTarget(SERVICE, PRE, "POST", None, "service", None),
            token=UUID_OF_ZEROS,
            parameters={
                "AccountSid": "AC1",
                "Body": "b",
                "ChatServiceSid": SERVICE,
                "ClientIdentity": "alice",
                "EventType": "onMessageAdd",
                "Source": "SDK",
            },
            outcome=attempt.outcome,
            status=200,
            error_code=None,
            error=None,
            elapsed_ms=7,
            answer=harness.response.body_start,
            date_ms=harness.database.clock.now_ms() - 7,
        )
        assert attempt.outcome == "delivered"

    play(scenario)


def test_an_amended_value_that_counts_as_unset_keeps_the_sent_one(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(b'{"friendly_name":"","attributes":"{}"}')
        made = await harness.amend({"FriendlyName": "n"}, "onConversationUpdate")
        assert made == MessageForm(friendly_name="n", attributes="{}")

    play(scenario)


def test_members_of_another_event_change_nothing(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(b'{"body":"new","friendly_name":"new"}')
        assert await harness.amend({"Body": "b"}, "onMessageRemove") == MessageForm(body="b")
        harness.response = response(b'{"friendly_name":"new"}')
        assert await harness.amend({"Body": "b"}) == MessageForm(body="b")

    play(scenario)


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"\xef\xbb\xbf"])
def test_an_empty_response_changes_nothing(play: Any, body: bytes) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(body)
        assert await harness.amend({"Body": "b"}) == MessageForm(body="b")
        (attempt,) = harness.attempts
        assert (attempt.outcome, attempt.error) == ("delivered", None)

    play(scenario)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (response(b"[1]"), "the answer is not a JSON object"),
        (response(b'{"body":"new"'), "the answer is not a JSON object"),
        (response(b'{"body":"\xff"}'), "the answer is not a JSON object"),
        (response(b'{"body":"new"}', is_truncated=True), "the answer is too large"),
    ],
)
def test_another_body_changes_nothing_and_is_logged(
    play: Any, given: OutboundResponse, error: str
) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = given
        with capture_logs() as logs:
            assert await harness.amend({"Body": "b"}) == MessageForm(body="b")
        (attempt,) = harness.attempts
        assert (attempt.outcome, attempt.error, attempt.status) == ("delivered", error, 200)
        assert [(each["event"], each["error"], each["status"]) for each in logs] == [
            ("pre_action_webhook_failed", error, 200)
        ]

    play(scenario)


@pytest.mark.parametrize(
    ("body", "form", "code", "message"),
    [
        (b'{"body":"wrong"}', {"Body": "b"}, 20001, "Invalid Body."),
        (b'{"body":"a\\u0000b"}', {"Body": "b"}, 20001, "Invalid Body."),
        (b'{"body":5}', {"Body": "b"}, 20001, "Invalid Body."),
        (b'{"author":{}}', {"Body": "b"}, 20001, "Invalid Author."),
        (b'{"attributes":5}', {"Body": "b"}, 50304, None),
    ],
)
def test_an_invalid_amended_value_fails_the_action(
    play: Any, body: bytes, form: dict[str, str], code: int, message: str | None
) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(body)
        with pytest.raises(ApiError) as caught:
            await harness.amend(form)
        assert caught.value.code == code
        assert message in {None, caught.value.message}
        assert [attempt.outcome for attempt in harness.attempts] == ["delivered"]

    play(scenario)


def test_attributes_may_be_an_array(play: Any) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(b'{"attributes": [1, 2] }')
        assert await harness.amend({"Body": "b"}) == MessageForm(body="b", attributes="[1, 2]")
        form = await harness.webhooks.amendments("onMessageAdd", emitted())
        assert form == {"Attributes": ["[1, 2]"]}

    play(scenario)


@pytest.mark.parametrize(("status", "code"), [(199, 50056), (302, 11216), (403, 50056)])
def test_any_other_status_rejects_the_action(play: Any, status: int, code: int) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = response(b"no", status)
        with pytest.raises(ApiError) as caught, capture_logs() as logs:
            await harness.webhooks.check("onMessageAdd", emitted())
        assert (caught.value.code, caught.value.status) == (50056, 403)
        (attempt,) = harness.attempts
        assert (attempt.outcome, attempt.status) == ("rejected", status)
        assert (attempt.error_code, attempt.answer) == (code, b"no")
        assert [(each["code"], each["event_type"]) for each in logs] == [(code, "onMessageAdd")]

    play(scenario)
