"""Pre-action webhooks: request, wait, then amend, reject or continue.

The action runs as a dry run and is rolled back before the request, so the request describes a valid
action, and no transaction waits for a network. Only a response has an effect: after a connection
error, a timeout or a malformed body the action continues unchanged. An error status rejects it. See
docs/reference/quirks.md#pre-action-webhooks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from parlour.delivery.targets import pre_action_target
from parlour.delivery.webhook_request import make_request, new_token
from parlour.egress.client import EgressFailed, EgressRefused
from parlour.operations import scoping
from parlour.operations.open_work import OpenWork
from parlour.protocol import retries
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.resources.webhook_forms import POST_ACTION_OF, pre_parameters
from parlour.store.transaction import assert_outside_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.delivery.attempts import Send
    from parlour.delivery.targets import WebhookTarget
    from parlour.egress.client import OutboundRequest, OutboundResponse
    from parlour.operations.call import Call
    from parlour.operations.parameters import Parameters
    from parlour.protocol.forms import FormFields
    from parlour.store.transaction import DryRun, EmittedEvent, Store, Transaction
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

log = structlog.get_logger()

_MESSAGE: Final = {"body": "Body", "author": "Author", "attributes": "Attributes"}
_CONVERSATION: Final = {"friendly_name": "FriendlyName", "attributes": "Attributes"}
_AMENDABLE: Final = {
    "onMessageAdd": _MESSAGE,
    "onMessageUpdate": _MESSAGE,
    "onConversationAdd": _CONVERSATION,
    "onConversationUpdate": _CONVERSATION,
}
"""Which members of a response replace which parameters; other events can only be rejected."""

_BOM: Final = b"\xef\xbb\xbf"
_NULL: Final = b"null"
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode

Members = dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreActionAttempt:
    """One request of a pre-action webhook and its result, for the webhook log.

    ``outcome`` is one of the log's: delivered, rejected or failed.
    """

    scope: Scope
    conversation_sid: str
    event_name: str
    target: WebhookTarget
    token: str
    parameters: dict[str, str]
    outcome: LoggedOutcome
    status: int | None
    error_code: int | None
    error: str | None
    elapsed_ms: int
    answer: bytes
    date_ms: int


class PreActionWebhooks:
    """Calls the webhooks of accounts and services before actions."""

    # The effect of each response:
    #
    #   response                            action                       outcome in the log
    #   2xx, object with amendable members  amended, validated again     delivered
    #   2xx, an amended value is invalid    error of its parameter       delivered
    #   2xx, object without such members    continues unchanged          delivered
    #   2xx, empty body or none             continues unchanged          delivered
    #   2xx, any other body                 continues unchanged          delivered, with an error
    #   any other status                    rejected (403, 50056)        rejected
    #   timeout, connection error, SSRF     continues unchanged          failed
    #
    # No transaction is open during the request: a slow receiver must not hold locks.

    def __init__(
        self,
        store: Store,
        send: Send,
        *,
        clock: Clock,
        random: Random,
        auth_token_of: Callable[[str], Awaitable[str]],
        record: Callable[[PreActionAttempt], None],
    ) -> None:
        """``send``: the egress client; ``auth_token_of`` returns the token to sign with.

        ``record`` logs, and never waits.
        """
        self._store = store
        self._send_request = send
        self._clock = clock
        self._random = random
        self._auth_token_of = auth_token_of
        self._record = record
        self._in_flight: set[_PreActionCall] = set()
        # The time limits of requests, with their accounts, and those that are aborted.
        self._running: dict[asyncio.Timeout, str] = {}
        self._aborted: set[asyncio.Timeout] = set()

    def open_work(self) -> Iterator[OpenWork]:
        """Return the requests in flight."""
        for each in self._in_flight:
            what = f"pre-action webhook {each.target.method} {each.target.url}"
            yield OpenWork(what, each.scope.account_sid, each.started_ms)

    def abort(self, accounts: Callable[[str], bool]) -> None:
        """End the requests in flight of some accounts; the changes that wait for them fail (503).

        They are not logged, because the rows of the accounts are being replaced.
        """
        now = asyncio.get_running_loop().time()
        for time_limit, account_sid in self._running.items():
            if accounts(account_sid):
                self._aborted.add(time_limit)
                time_limit.reschedule(now)

    async def wants(self, tx: Transaction, call: Call[Any]) -> bool:
        """Return whether there is a webhook for this call."""
        # Checked in the transaction of the action: without a webhook the action continues in it.
        event_name = call.operation.spec.pre_action
        assert event_name is not None
        try:
            scope = await scoping.resolve(tx, call)
        except ApiError:
            return False  # The action itself raises the error.
        return await pre_action_target(tx, scope, event_name) is not None

    async def is_subscribed(self, scope: Scope, event_name: str) -> bool:
        """Return whether there is a webhook for events of this name."""
        return (
            await self._store.read(
                lambda tx: pre_action_target(tx, scope, event_name), account_sid=scope.account_sid
            )
            is not None
        )

    async def amend(self, call: Call[Any], dry_run: DryRun[Any]) -> Parameters:
        """Return the parameters, amended by the webhook. Raises 50056, or the error of a value."""
        event_name = call.operation.spec.pre_action
        assert event_name is not None
        original: Parameters = call.parameters
        events = (each for each in dry_run.events if each.name == POST_ACTION_OF[event_name])
        emitted = next(events, None)
        if emitted is None:
            return original  # The action would change nothing.
        members = await self._call_webhook(event_name, emitted)
        return _amended(call, original, members, _AMENDABLE.get(event_name, {}))

    async def check(self, event_name: str, emitted: EmittedEvent) -> None:
        """Call the webhook for a change that is no call. Raises 50056; amends nothing."""
        await self._call_webhook(event_name, emitted)

    async def amendments(self, event_name: str, emitted: EmittedEvent) -> FormFields:
        """Call the webhook for a change that is no call; return its amendments as a form.

        Raises 50056, or the error of a value that is no text.
        """
        members = await self._call_webhook(event_name, emitted)
        return _form_of(members, _AMENDABLE.get(event_name, {}))

    async def _call_webhook(self, event_name: str, emitted: EmittedEvent) -> Members:
        """Return the members of the response. Raises 50056 if the webhook rejects."""
        assert_outside_transaction()
        target = await self._store.read(
            lambda tx: pre_action_target(tx, emitted.scope, event_name),
            account_sid=emitted.scope.account_sid,
        )
        if target is None:
            return {}
        pending = _PreActionCall(
            scope=emitted.scope,
            conversation_sid=emitted.conversation_sid,
            event_name=event_name,
            target=target,
            token=new_token(self._random),
            parameters=pre_parameters(event_name, emitted),
            started_ms=self._clock.monotonic_ms(),
            date_ms=self._clock.now_ms(),
        )
        self._in_flight.add(pending)
        try:
            response = await self._send(await self._request(pending), pending.scope.account_sid)
        except EgressRefused as error:
            self._record_attempt(pending, LoggedOutcome.FAILED, code=error.code, error=error.reason)
            return {}
        except EgressFailed as error:
            self._record_attempt(
                pending, LoggedOutcome.FAILED, code=error.code, error=f"{error.kind} {error.detail}"
            )
            return {}
        finally:
            self._in_flight.discard(pending)
        return self._read(pending, response)

    async def _request(self, pending: _PreActionCall) -> OutboundRequest:
        account_sid = pending.scope.account_sid
        request = make_request(
            pending.target.method,
            pending.target.url,
            pending.parameters | {"RetryCount": "0"},
            auth_token=await self._auth_token_of(account_sid),
            token=pending.token,
            account_sid=account_sid,
        )
        return replace(
            request,
            read_bytes_max=limits.PRE_ACTION_RESPONSE_BYTES_READ_MAX,
            # The wait for a slot counts towards the limit of the whole request.
            slot_wait_ms_max=limits.WEBHOOK_SECONDS_MAX * 1000,
            is_caller_waiting=True,
        )

    async def _send(self, request: OutboundRequest, account_sid: str) -> OutboundResponse:
        """Return the response, within five seconds from now: a caller is waiting."""
        time_limit = asyncio.timeout(limits.WEBHOOK_SECONDS_MAX)
        try:
            async with time_limit:
                self._running[time_limit] = account_sid
                return await self._send_request(request)
        except TimeoutError:
            if time_limit in self._aborted:
                raise ApiError(20503, headers=RETRY_AFTER) from None
            raise EgressFailed("timeout", retries.CODE_TIMEOUT) from None
        finally:
            self._running.pop(time_limit, None)
            self._aborted.discard(time_limit)

    def _read(self, pending: _PreActionCall, response: OutboundResponse) -> Members:
        """Parse a response. Raises 50056 for any status but 2xx."""
        code = retries.log_code(retries.AttemptOutcome(response.status), is_pre_action=True)
        if code is not None:
            self._record_attempt(pending, LoggedOutcome.REJECTED, response, code=code)
            raise ApiError(50056)
        members, error = _members_of(response)
        self._record_attempt(pending, LoggedOutcome.DELIVERED, response, error=error)
        return members

    def _record_attempt(
        self,
        pending: _PreActionCall,
        outcome: LoggedOutcome,
        response: OutboundResponse | None = None,
        *,
        code: int | None = None,
        error: str | None = None,
    ) -> None:
        """Record every request in the webhook log; also log failures."""
        if code is not None or error is not None:
            log.warning(
                "pre_action_webhook_failed",
                account_sid=pending.scope.account_sid,
                event_type=pending.event_name,
                outcome=outcome,
                code=code,
                error=error,
                status=None if response is None else response.status,
            )
        self._record(
            PreActionAttempt(
                scope=pending.scope,
                conversation_sid=pending.conversation_sid,
                event_name=pending.event_name,
                target=pending.target,
                token=pending.token,
                parameters=pending.parameters,
                outcome=outcome,
                status=None if response is None else response.status,
                error_code=code,
                error=error,
                elapsed_ms=round(self._clock.monotonic_ms() - pending.started_ms),
                answer=b"" if response is None else response.body_start,
                date_ms=pending.date_ms,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _PreActionCall:
    """A request in flight."""

    scope: Scope
    conversation_sid: str
    event_name: str
    target: WebhookTarget
    token: str
    parameters: dict[str, str]
    started_ms: float
    date_ms: int


# --- Parsing of responses -----------------------------------------------------------------


def _members_of(response: OutboundResponse) -> tuple[Members, str | None]:
    """Return the members of the JSON object in a response, or the error if there is none."""
    if response.is_truncated:
        return {}, "the answer is too large"
    try:
        body = response.body_start.removeprefix(_BOM).decode().strip()
        if not body:
            return {}, None
        members = _members(body)
    except (ValueError, RecursionError):
        return {}, "the answer is not a JSON object"
    return {name: raw for name, raw in members.items() if bytes(raw) != _NULL}, None


def _amended(
    call: Call[Any], original: Parameters, members: Members, amendable: dict[str, str]
) -> Parameters:
    """Return the parameters with the amendable members in their places, validated again."""
    amendments = _form_of(members, amendable)
    if not amendments:
        return original
    amended = call.operation.spec.parameters.parse(call.form | amendments)
    # A value that counts as unset in a form, such as an empty name, changes nothing here.
    declared = original.given().items()
    unset = {name: value for name, value in declared if getattr(amended, name) is UNSET}
    return replace(amended, **unset) if unset else amended


def _form_of(members: Members, amendable: dict[str, str]) -> FormFields:
    """Return the amendable members as parameters."""
    return {
        wire_name: [_text_of(wire_name, members[member])]
        for member, wire_name in amendable.items()
        if member in members
    }


def _text_of(wire_name: str, raw: msgspec.Raw) -> str:
    """Return a member as the text of a parameter. Raises the error of that parameter."""
    written = bytes(raw).strip()
    if written[:1] == b'"':
        text = _string(written)
        # A form cannot carry NUL, so a response must not either.
        if "\0" in text:
            raise ApiError.invalid(wire_name)
        return text
    if wire_name != "Attributes":
        raise ApiError.invalid(wire_name)
    if written[:1] not in {b"{", b"["}:
        raise ApiError(50304)
    return written.decode()
