"""An attempt: its request, its result by response or failure, and the signing settings."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.delivery import attempts
from parlour.delivery.attempts import (
    AttemptResult,
    SigningCache,
    SigningSettings,
    WebhookClient,
    prepare,
    response_excerpt,
)
from parlour.egress.client import EgressFailed, EgressRefused, OutboundResponse
from parlour.protocol import retries
from parlour.protocol.connection_overrides import ConnectionOverrides
from parlour.protocol.vault import Vault
from parlour.resources.accounts import actions as account_actions
from parlour.resources.webhook_attempts.store import WebhookAttempt
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.resources.webhook_retries.store import WebhookRetries
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import Database, run_on_database
from tests.unit.delivery.lane_setup import delivery
from tests.unit.delivery.term_setup import result_of

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.egress.client import OutboundRequest
    from parlour.store.webhook_queue import WebhookDelivery

NOW = FakeClock().now_ms()
DAY_MS = 24 * 60 * 60 * 1000


class NoJitter(SystemRandom):
    """Adds no jitter to a delay."""

    def fraction(self) -> float:
        return 0.0


class Signer:
    """Signs for every account with one token, or none."""

    def __init__(self, auth_token: str | None, schedule: str) -> None:
        self.settings = SigningSettings(auth_token, schedule, 0)

    async def get(self, _account_sid: str) -> SigningSettings:
        return self.settings

    async def auth_token_of(self, _account_sid: str) -> str:
        if self.settings.auth_token is None:
            raise EgressRefused("no token", attempts.CODE_NOT_SENT)
        return self.settings.auth_token


class FakeReceiver:
    """Responds to requests, or fails them, after three milliseconds."""

    def __init__(self, response: OutboundResponse | Exception) -> None:
        self.clock = FakeClock()
        self.response = response
        self.requests: list[OutboundRequest] = []

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.requests.append(request)
        self.clock.advance(3)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


def response(status: int, body: bytes = b"", **headers: str) -> OutboundResponse:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return OutboundResponse(status, named, body, elapsed_ms=1, is_truncated=False)


def queued(**changes: Any) -> WebhookDelivery:
    values: dict[str, Any] = {"parameters": '{"Body":"b"}', "date_queued": NOW}
    return msgspec.structs.replace(delivery(1, 7), **values | changes)


def attempt(
    receiver: FakeReceiver,
    made: WebhookDelivery,
    *,
    auth_token: str | None = "secret",
    schedule: str = webhook_retries_store.DURABLE,
    takes_overrides: bool = False,
    may_send: Any = None,
) -> AttemptResult:
    signer: Any = Signer(auth_token, schedule)
    client = WebhookClient(
        receiver.send, signer, receiver.clock, NoJitter(), takes_overrides=takes_overrides
    )
    return asyncio.run(client.attempt(made, may_send))


# --- Requests ---------------------------------------------------------------------------------


def test_the_request_carries_the_retry_count_the_token_and_the_signature() -> None:
    made = prepare(queued(retry_count=2, token="t2"), "secret", None)
    assert made.body == b"Body=b&RetryCount=2"
    assert made.headers["I-Twilio-Idempotency-Token"] == "t2"
    assert made.account_sid == "AC1"
    assert made.timeout_ms == limits.WEBHOOK_SECONDS_MAX * 1000
    other = prepare(queued(retry_count=2), "other", None)
    assert other.headers["X-Twilio-Signature"] != made.headers["X-Twilio-Signature"]


def test_overrides_set_the_timeout_of_the_request() -> None:
    made = prepare(queued(), "secret", ConnectionOverrides(1234, None, frozenset()))
    assert made.timeout_ms == 1234


def test_overrides_in_the_url_apply_only_if_they_are_enabled() -> None:
    made = queued(url="http://h.test/#tt=700&rc=1&rp=4xx")
    ignoring = FakeReceiver(response(400))
    result = attempt(ignoring, made, schedule=webhook_retries_store.HOSTED)
    assert (result.outcome, ignoring.requests[0].timeout_ms) == ("failed", 5000)
    applying = FakeReceiver(response(400))
    result = attempt(applying, made, schedule=webhook_retries_store.HOSTED, takes_overrides=True)
    assert (result.outcome, applying.requests[0].timeout_ms) == ("retrying", 700)


def test_overrides_without_a_retry_count_keep_the_schedule() -> None:
    made = queued(url="http://h.test/#tt=700")
    result = attempt(FakeReceiver(response(404)), made, takes_overrides=True)
    assert (result.outcome, result.due_ms) == ("retrying", NOW + 3 + 1000)


def test_without_a_fragment_there_are_no_overrides() -> None:
    receiver = FakeReceiver(response(200))
    assert attempt(receiver, queued(), takes_overrides=True).is_done
    assert receiver.requests[0].timeout_ms == 5000


def test_the_request_asks_before_it_is_written() -> None:
    receiver = FakeReceiver(response(200))
    attempt(receiver, queued(), may_send=lambda: False)
    (request,) = receiver.requests
    assert request.may_send is not None
    assert request.may_send() is False


# --- Results ----------------------------------------------------------------------------------


def test_a_2xx_response_delivers() -> None:
    made = queued(retry_count=1)
    result = attempt(FakeReceiver(response(204, b"o\0k")), made)
    assert result == AttemptResult(
        delivery=made,
        outcome="delivered",
        state="delivered",
        retry_count=1,
        due_ms=None,
        status=204,
        error_code=None,
        error=None,
        elapsed_ms=3,
        answer="o\N{REPLACEMENT CHARACTER}k",
        at_ms=NOW + 3,
        timed_out=False,
        was_sent=True,
    )
    assert result.is_done


def test_a_failure_is_retried_after_the_delay_of_the_schedule() -> None:
    made = queued(retry_count=1)
    result = attempt(FakeReceiver(response(500, b"oops")), made)
    assert result == AttemptResult(
        delivery=made,
        outcome="retrying",
        state="pending",
        retry_count=2,
        due_ms=NOW + 3 + 2000,
        status=500,
        error_code=retries.CODE_POST_ACTION_FAILED,
        error=None,
        elapsed_ms=3,
        answer="oops",
        at_ms=NOW + 3,
        timed_out=False,
        was_sent=True,
    )
    assert not result.is_done


def test_a_retry_waits_as_long_as_the_response_asks() -> None:
    result = attempt(FakeReceiver(response(503, retry_after="60")), queued())
    assert result.due_ms == NOW + 3 + 60_000


def test_410_stops_the_retries() -> None:
    result = attempt(FakeReceiver(response(410)), queued(retry_count=1))
    assert (result.outcome, result.state) == ("stopped", "stopped")
    assert (result.retry_count, result.due_ms) == (1, None)


def test_after_the_last_retry_the_delivery_has_failed() -> None:
    made = queued(retry_count=len(retries.DURABLE.delays_ms))
    result = attempt(FakeReceiver(response(500)), made)
    assert (result.outcome, result.state, result.due_ms) == ("failed", "failed", None)


@pytest.mark.parametrize(
    ("failure", "error", "timed_out"),
    [
        (EgressFailed("timeout", 50076), "timeout", True),
        (EgressFailed("connect", 11205, "reset"), "connect: reset", False),
    ],
)
def test_a_failed_request_is_retried_with_its_error(
    failure: EgressFailed, error: str, *, timed_out: bool
) -> None:
    result = attempt(FakeReceiver(failure), queued())
    assert (result.outcome, result.status, result.answer) == ("retrying", None, "")
    assert (result.error, result.error_code) == (error, failure.code)
    assert (result.timed_out, result.was_sent) == (timed_out, True)


@pytest.mark.parametrize("schedule", [webhook_retries_store.DURABLE, webhook_retries_store.HOSTED])
def test_an_unexpected_error_is_logged_and_the_delivery_is_retried(schedule: str) -> None:
    with capture_logs() as logs:
        result = attempt(FakeReceiver(AssertionError("a header")), queued(), schedule=schedule)
    assert (result.outcome, result.error) == ("retrying", "internal error: AssertionError")
    assert [each["event"] for each in logs] == ["webhook_attempt_failed"]


def test_a_delivery_whose_signing_settings_cannot_be_read_is_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def damaged(*_: object) -> None:
        raise ValueError("a sealed secret")

    monkeypatch.setattr(Signer, "get", damaged)
    receiver = FakeReceiver(response(200))
    result = attempt(receiver, queued())
    assert receiver.requests == []
    assert (result.outcome, result.error) == ("retrying", "internal error: ValueError")


@pytest.mark.parametrize("failure", [Busy(), Unavailable("gone")])
def test_an_error_of_the_store_ends_the_attempt_without_a_result(failure: Exception) -> None:
    with pytest.raises(type(failure)):
        attempt(FakeReceiver(failure), queued())


def test_a_request_without_a_slot_was_not_sent_and_does_not_count() -> None:
    result = attempt(FakeReceiver(EgressFailed("busy", 11205)), queued(retry_count=2))
    assert not result.was_sent
    assert (result.outcome, result.retry_count) == ("retrying", 2)


@pytest.mark.parametrize(("is_final", "outcome"), [(True, "failed"), (False, "retrying")])
def test_a_refused_target_ends_the_retries_only_if_that_is_final(
    outcome: str, *, is_final: bool
) -> None:
    refused = EgressRefused("not there", 11200, is_final=is_final)
    result = attempt(FakeReceiver(refused), queued())
    assert (result.outcome, result.error, result.error_code) == (outcome, "not there", 11200)


def test_an_account_without_a_token_sends_nothing() -> None:
    receiver = FakeReceiver(response(200))
    result = attempt(receiver, queued(), auth_token=None)
    assert receiver.requests == []
    assert (result.error, result.error_code) == ("no token", attempts.CODE_NOT_SENT)


# --- Schedules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_limit", "retry_count", "outcome"),
    [(None, 0, "failed"), (1, 0, "retrying"), (1, 1, "failed"), (99, 2, "retrying")],
)
def test_the_hosted_schedule_retries_up_to_the_limit_of_the_webhook(
    retry_limit: int | None, retry_count: int, outcome: str
) -> None:
    made = queued(retry_limit=retry_limit, retry_count=retry_count)
    result = attempt(FakeReceiver(response(503)), made, schedule=webhook_retries_store.HOSTED)
    assert result.outcome == outcome


LATE = NOW - DAY_MS * 2


@pytest.mark.parametrize(
    ("date_queued", "retry_count", "failure", "outcome"),
    [
        (LATE, limits.LATE_ATTEMPTS_MIN - 2, response(500), "retrying"),
        (LATE, limits.LATE_ATTEMPTS_MIN - 1, response(500), "failed"),
        (NOW, limits.LATE_ATTEMPTS_MIN - 1, response(500), "retrying"),
        (LATE, limits.LATE_ATTEMPTS_MIN - 1, EgressFailed("busy", 1), "retrying"),
        (LATE, limits.LATE_ATTEMPTS_MIN - 1, response(410), "stopped"),
    ],
)
def test_a_late_delivery_has_a_few_attempts_left(
    date_queued: int, retry_count: int, failure: Any, outcome: str
) -> None:
    made = queued(date_queued=date_queued, retry_count=retry_count)
    result = attempt(FakeReceiver(failure), made)
    assert (result.outcome, result.due_ms is None) == (outcome, outcome != "retrying")


# --- The results' other forms -----------------------------------------------------------------


def test_the_result_for_a_detached_webhook_has_no_retry() -> None:
    made = queued(retry_count=3)
    result = result_of(
        made, outcome="retrying", state="pending", retry_count=4, due_ms=9, status=500
    )
    assert result.stopped() == result_of(
        made, outcome="stopped", state="stopped", retry_count=3, due_ms=None, status=500
    )


def test_the_log_entry_has_the_count_of_this_attempt_and_the_date_of_the_next() -> None:
    result = result_of(
        queued(retry_count=3),
        outcome="retrying",
        retry_count=4,
        due_ms=9,
        status=500,
        error_code=50057,
        error="e",
        answer="a",
    )
    assert result.attempt("WA1") == WebhookAttempt(
        account_sid="AC1",
        sid="WA1",
        event_sequence=7,
        target_key="k",
        conversation_sid="CH1",
        event_name="onMessageAdded",
        outcome="retrying",
        retry_count=3,
        status=500,
        error_code=50057,
        error="e",
        elapsed_ms=1,
        answer="a",
        next_attempt_ms=9,
        date_created=1000,
    )


def test_an_excerpt_is_valid_text_of_limited_length() -> None:
    assert response_excerpt(b"\xff\0") == "\N{REPLACEMENT CHARACTER}" * 2
    assert response_excerpt(b"x" * 5000) == "x" * limits.RESPONSE_BYTES_LOGGED_MAX


# --- Signing settings -------------------------------------------------------------------------

VAULT = Vault(bytes(32), SystemRandom().token)


def cache_of(database: Database) -> SigningCache:
    return SigningCache(database.store, VAULT, database.clock, webhook_retries_store.HOSTED)


def test_an_account_signs_with_its_primary_token_and_its_schedule(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        scope = Scope("AC1")
        await database.write(account_actions.create_login, VAULT, scope, "AC1", "secret", "n")
        cache = cache_of(database)
        assert await cache.auth_token_of("AC1") == "secret"
        assert (await cache.get("AC1")).schedule == webhook_retries_store.HOSTED
        chosen = WebhookRetries("AC1", webhook_retries_store.DURABLE)
        await database.write(webhook_retries_store.save_webhook_retries, scope, chosen)
        database.clock.advance(limits.SIGNING_CACHED_MS_MAX - 1)
        assert (await cache.get("AC1")).schedule == webhook_retries_store.HOSTED
        database.clock.advance(1)
        assert (await cache.get("AC1")).schedule == webhook_retries_store.DURABLE

    run_on_database(tmp_path, scenario)


def test_an_account_without_a_login_cannot_sign(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        cache = cache_of(database)
        assert (await cache.get("AC1")).auth_token is None
        with pytest.raises(EgressRefused) as caught:
            await cache.auth_token_of("AC1")
        assert (caught.value.code, caught.value.is_final) == (attempts.CODE_NOT_SENT, True)

    run_on_database(tmp_path, scenario)


def test_the_least_recently_loaded_account_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIGNING_CACHED_MAX", 2)
    loaded: list[int] = []

    async def read(_work: Any) -> SigningSettings:
        loaded.append(1)
        return SigningSettings("t", "durable", clock.monotonic_ms())

    clock = FakeClock()
    store: Any = SimpleNamespace(read=read)

    async def scenario() -> None:
        cache = SigningCache(store, VAULT, clock, "durable")
        for account_sid in ("AC1", "AC2"):
            await cache.get(account_sid)
        clock.advance(limits.SIGNING_CACHED_MS_MAX)
        for account_sid in ("AC1", "AC3"):
            await cache.get(account_sid)
        assert len(loaded) == 4
        for account_sid in ("AC1", "AC3"):
            await cache.get(account_sid)
        assert len(loaded) == 4
        await cache.get("AC2")
        assert len(loaded) == 5

    asyncio.run(scenario())
