"""One attempt: the request of a delivery, its response, and the decision whether to retry.

The request is signed with the account's primary auth token. All attempts of a delivery carry the
same idempotency token, so that the receiver can discard duplicates, and a ``RetryCount`` each.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.delivery.webhook_request import make_request
from parlour.egress.client import EgressFailed, EgressRefused
from parlour.protocol import connection_overrides, retries
from parlour.protocol.retries import AttemptOutcome, Decision, Schedule, Verdict
from parlour.resources.accounts import store as account_store
from parlour.resources.webhook_attempts.store import LoggedOutcome, WebhookAttempt, attempt_of
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.store.transaction import Busy, Unavailable
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary import limits
from parlour.vocabulary.crash_points import SENT, crash_point
from parlour.vocabulary.redaction import Redacted
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.egress.client import OutboundRequest, OutboundResponse
    from parlour.protocol.connection_overrides import ConnectionOverrides
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock, Random

    Send = Callable[[OutboundRequest], Awaitable[OutboundResponse]]
    MaySend = Callable[[], bool]

log = structlog.get_logger()

CODE_NOT_SENT: Final = 11200

_RECORDED: Final = {
    Verdict.DELIVERED: (LoggedOutcome.DELIVERED, DeliveryState.DELIVERED),
    Verdict.RETRY: (LoggedOutcome.RETRYING, DeliveryState.PENDING),
    Verdict.STOPPED: (LoggedOutcome.STOPPED, DeliveryState.STOPPED),
    Verdict.FAILED: (LoggedOutcome.FAILED, DeliveryState.FAILED),
}
# The duration of DURABLE with full jitter, without ``Retry-After`` and the times of the requests. A
# retry that would start later than that after the delivery was queued is given up (``_decide`` has
# the exceptions).
_LATE_MS: Final = (
    retries.DURABLE.lasts_ms_min
    + retries.DURABLE.lasts_ms_min * retries.DURABLE.jitter_percent // 100
)

_decode = msgspec.json.Decoder(dict[str, str]).decode


class SigningSettings(Redacted, msgspec.Struct, frozen=True):
    """The auth token of an account, its retry schedule, and when both were read."""

    auth_token: str | None
    schedule: str
    read_at_ms: float


class AttemptResult(msgspec.Struct, frozen=True):
    """The result of one attempt: the fields of its log entry, and the delivery's next state."""

    # ``outcome`` describes this attempt, ``state`` the delivery after it:
    #
    #   outcome    state      due_ms   meaning
    #   delivered  delivered  None     2xx
    #   retrying   pending    set      failed; the lane is blocked until ``due_ms``
    #   failed     failed     None     failed; no retry follows
    #   stopped    stopped    None     410, or the webhook was detached
    #
    # ``was_sent`` is False if egress had no slot or the lease term is over (BUSY): such an attempt
    # is not logged and does not count as a retry.
    delivery: WebhookDelivery
    outcome: LoggedOutcome
    state: DeliveryState
    retry_count: int
    due_ms: int | None
    status: int | None
    error_code: int | None
    error: str | None
    elapsed_ms: int
    answer: str
    at_ms: int
    timed_out: bool
    was_sent: bool

    @property
    def is_done(self) -> bool:
        """Whether the delivery is no longer pending."""
        return self.state != DeliveryState.PENDING

    def stopped(self) -> AttemptResult:
        """Return the result without a retry, for a webhook that was detached."""
        return msgspec.structs.replace(
            self,
            outcome=LoggedOutcome.STOPPED,
            state=DeliveryState.STOPPED,
            retry_count=self.delivery.retry_count,
            due_ms=None,
        )

    def attempt(self, sid: str) -> WebhookAttempt:
        """Return the row of the webhook log."""
        return attempt_of(
            self.delivery,
            sid,
            self.outcome,
            self.at_ms,
            status=self.status,
            error_code=self.error_code,
            error=self.error,
            elapsed_ms=self.elapsed_ms,
            answer=self.answer,
            next_attempt_ms=self.due_ms,
        )


class SigningCache:
    """A cache of the signing settings of accounts, with a TTL of one second."""

    # Bounded: the least recently loaded account is evicted. The TTL bounds how long an old auth
    # token signs after a rotation.

    def __init__(self, read: Store, vault: Vault, clock: Clock, schedule: str) -> None:
        """``schedule``: the default for accounts without a setting."""
        self._store = read
        self._vault = vault
        self._clock = clock
        self._schedule = schedule
        self._known: OrderedDict[str, SigningSettings] = OrderedDict()

    def evict_all(self) -> None:
        """Evict all accounts."""
        self._known.clear()

    async def auth_token_of(self, account_sid: str) -> str:
        """Return the auth token of an account. Raises EgressRefused if it has none."""
        signing = await self.get(account_sid)
        if signing.auth_token is None:
            raise EgressRefused("The account has no auth token to sign with.", CODE_NOT_SENT)
        return signing.auth_token

    def evict(self, account_sid: str) -> None:
        """Evict an account: its next attempt reads the settings again."""
        self._known.pop(account_sid, None)

    async def get(self, account_sid: str) -> SigningSettings:
        """Return the auth token of an account, None if it has none, and its schedule."""
        now_ms = self._clock.monotonic_ms()
        known = self._known.get(account_sid)
        if known is not None and now_ms - known.read_at_ms < limits.SIGNING_CACHED_MS_MAX:
            return known
        scope = Scope(account_sid)

        async def read(tx: Transaction) -> SigningSettings:
            login = await account_store.find_login(tx, scope, account_sid)
            chosen = (await webhook_retries_store.get_webhook_retries(tx, scope)).schedule
            sealed = None if login is None else login.secret_sealed
            token = None if sealed is None else self._vault.unseal(sealed, account_sid)
            return SigningSettings(token, chosen or self._schedule, now_ms)

        made = self._known[account_sid] = await self._store.read(read)
        self._known.move_to_end(account_sid)
        while len(self._known) > limits.SIGNING_CACHED_MAX:
            self._known.popitem(last=False)
        return made


def prepare(
    delivery: WebhookDelivery, auth_token: str, overrides: ConnectionOverrides | None
) -> OutboundRequest:
    """Return the signed request of the next attempt. Raises EgressRefused for a bad URL."""
    parameters = _decode(delivery.parameters)
    parameters["RetryCount"] = str(delivery.retry_count)
    made = make_request(
        delivery.method,
        delivery.url,
        parameters,
        auth_token=auth_token,
        token=delivery.token,
        account_sid=delivery.account_sid,
    )
    return made if overrides is None else replace(made, timeout_ms=overrides.total_ms)


def response_excerpt(body_start: bytes) -> str:
    """Return the start of a response as text that can be stored."""
    # PostgreSQL rejects NUL in text.
    text = body_start[: limits.RESPONSE_BYTES_LOGGED_MAX].decode("utf-8", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class WebhookClient:
    """Sends the requests of deliveries and decides about retries."""

    def __init__(
        self,
        send: Send,
        signer: SigningCache,
        clock: Clock,
        random: Random,
        *,
        takes_overrides: bool = False,
    ) -> None:
        """``send``: the egress client; ``takes_overrides``: apply connection overrides in URLs."""
        self._send = send
        self._signer = signer
        self._clock = clock
        self._random = random
        self._takes_overrides = takes_overrides

    async def attempt(
        self, delivery: WebhookDelivery, may_send: MaySend | None = None
    ) -> AttemptResult:
        """Make the next attempt of a delivery.

        Failures of the request are part of the result. After an unexpected one the delivery is
        retried on the durable schedule, not on its own: the receiver has not failed. Raises
        Busy and Unavailable of the store.
        """
        started_ms = self._clock.monotonic_ms()
        response: OutboundResponse | None = None
        error = None
        schedule = retries.DURABLE
        try:
            overrides = self._overrides(delivery.url)
            signing = await self._signer.get(delivery.account_sid)
            schedule = _schedule(delivery, signing, overrides)
            auth_token = await self._signer.auth_token_of(delivery.account_sid)
            request = prepare(delivery, auth_token, overrides)
            response = await self._send(replace(request, may_send=may_send))
            # Crash window: the receiver has the request, and the result is only in memory. The
            # attempt is repeated after a restart, under the same idempotency token.
            crash_point(SENT)
            outcome = AttemptOutcome(
                status=response.status, retry_after=response.header("retry-after")
            )
        except EgressFailed as failed:
            error = f"{failed.kind}: {failed.detail}" if failed.detail else failed.kind
            outcome = AttemptOutcome(failure=failed.kind, failure_code=failed.code)
        except EgressRefused as refused:
            error = refused.reason
            outcome = AttemptOutcome(
                failure="refused", failure_code=refused.code, is_final=refused.is_final
            )
        except (Busy, Unavailable):
            raise
        except Exception as fault:
            # Without a result the lane would keep its slot until the end of the term.
            log.exception("webhook_attempt_failed", account_sid=delivery.account_sid)
            error = f"internal error: {type(fault).__name__}"
            outcome = AttemptOutcome(failure="internal error", failure_code=CODE_NOT_SENT)
            schedule = retries.DURABLE
        decision = self._decide(delivery, outcome, schedule)
        elapsed_ms = int(self._clock.monotonic_ms() - started_ms)
        return self._result(delivery, outcome, decision, error, response, elapsed_ms)

    def _overrides(self, url: str) -> ConnectionOverrides | None:
        fragment = url.partition("#")[2] if self._takes_overrides else ""
        return connection_overrides.parse(fragment) if fragment else None

    def _decide(
        self, delivery: WebhookDelivery, outcome: AttemptOutcome, schedule: Schedule
    ) -> Decision:
        now_ms = self._clock.now_ms()
        count = delivery.retry_count
        decision = retries.decide(outcome, count, schedule, self._random, now_ms)
        is_late = now_ms + decision.delay_ms - delivery.date_queued > _LATE_MS
        may_end = outcome.failure != retries.BUSY and count + 1 >= limits.LATE_ATTEMPTS_MIN
        if decision.verdict is Verdict.RETRY and is_late and may_end:
            # Retry-After, or the deliveries ahead in the lane, delayed it for longer than a whole
            # schedule lasts.
            return Decision(Verdict.FAILED)
        return decision

    def _result(
        self,
        delivery: WebhookDelivery,
        outcome: AttemptOutcome,
        decision: Decision,
        error: str | None,
        response: OutboundResponse | None,
        elapsed_ms: int,
    ) -> AttemptResult:
        now_ms = self._clock.now_ms()
        is_retried = decision.verdict is Verdict.RETRY
        logged, state = _RECORDED[decision.verdict]
        return AttemptResult(
            delivery=delivery,
            outcome=logged,
            state=state,
            retry_count=decision.retry_count if is_retried else delivery.retry_count,
            due_ms=now_ms + decision.delay_ms if is_retried else None,
            status=outcome.status,
            error_code=retries.log_code(outcome),
            error=error,
            elapsed_ms=elapsed_ms,
            answer="" if response is None else response_excerpt(response.body_start),
            at_ms=now_ms,
            timed_out=outcome.failure == retries.TIMEOUT,
            was_sent=outcome.failure != retries.BUSY,
        )


def _schedule(
    delivery: WebhookDelivery, signing: SigningSettings, overrides: ConnectionOverrides | None
) -> Schedule:
    if overrides is not None and overrides.retry_count is not None:
        return overrides.schedule()
    if signing.schedule == webhook_retries_store.DURABLE:
        return retries.DURABLE
    return retries.hosted_schedule(min(delivery.retry_limit or 0, limits.WEBHOOK_RETRIES_MAX))
