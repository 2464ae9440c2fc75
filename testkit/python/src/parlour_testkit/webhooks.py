"""Webhooks of an account: received requests, and the responses to them."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from parlour_testkit.errors import InvalidSignature, UnexpectedWebhook, WaitTimedOut
from parlour_testkit.receiver import Answer, ReceivedRequest, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parlour_testkit.account import Account

POST_ACTION = (
    "onMessageAdded",
    "onMessageUpdated",
    "onMessageRemoved",
    "onConversationAdded",
    "onConversationUpdated",
    "onConversationRemoved",
    "onConversationStateUpdated",
    "onParticipantAdded",
    "onParticipantUpdated",
    "onParticipantRemoved",
    "onDeliveryUpdated",
    "onUserAdded",
    "onUserUpdated",
)
"""The events that follow a change; a pre-action event (``onMessageAdd``) comes before it."""
PRE_ACTION = (
    "onMessageAdd",
    "onMessageUpdate",
    "onMessageRemove",
    "onConversationAdd",
    "onConversationUpdate",
    "onConversationRemove",
    "onParticipantAdd",
    "onParticipantUpdate",
    "onParticipantRemove",
    "onUserUpdate",
)
_OF_CONVERSATIONS = tuple(
    each
    for each in POST_ACTION
    if each not in {"onConversationAdded", "onUserAdded", "onUserUpdated"}
)
_SHOWN_MAX = 20
_NO_WEBHOOKS = (
    "A change over REST sends webhooks only if its request has the header "
    "X-Twilio-Webhook-Enabled: true, and only events in the filters of configure() are sent."
)


@dataclass(frozen=True)
class Webhook:
    """A received webhook: ``webhook["Body"]`` is a parameter.

    Attributes:
        event: its type, such as ``onMessageAdded``.
        parameters: all parameters.
        request: the HTTP request with its URL, headers and body.
    """

    event: str
    parameters: Mapping[str, str]
    request: ReceivedRequest

    def __getitem__(self, name: str) -> str:
        """Return a parameter. Raises KeyError, with the names that the webhook has."""
        try:
            return self.parameters[name]
        except KeyError:
            names = ", ".join(sorted(self.parameters))
            raise KeyError(f"{name}: {self.event} has {names}") from None

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a parameter, or the default."""
        return self.parameters.get(name, default)

    @property
    def is_pre_action(self) -> bool:
        """Whether the server asks before the change."""
        return self.event not in POST_ACTION


@dataclass
class _LimitedAnswer:
    """The response to the next requests of an event (None: of all); ``left`` is None for all."""

    answer: Answer
    event: str | None
    left: int | None


class Webhooks:
    """A receiver of an account's webhooks, on loopback, in separate threads.

    Each request is answered with 200 unless `answer`, `amend` or `reject` was called. Signatures
    are checked: a request with a wrong one is answered with 403, is not in `all`, and makes
    `wait_for`, `none` and `check_signatures` raise InvalidSignature.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._received: list[Webhook] = []
        self._forged: list[ReceivedRequest] = []
        self._answers: list[_LimitedAnswer] = []
        self._decision: Answer | None = None
        self._changed = threading.Condition()
        self._receiver = Receiver(account.auth_token, self._handle)
        self.url = f"{self._receiver.url}/webhooks"
        """The address that `configure` sets; every other path is received too."""

    def __enter__(self) -> Self:
        """Return the receiver."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.close()

    def close(self) -> None:
        """Stop; webhooks that are delivered later are refused by the operating system."""
        self._receiver.close()

    # --- Configuration --------------------------------------------------------------------------

    def configure(
        self,
        filters: Iterable[str] = (),
        *,
        service_sid: str | None = None,
        conversation_sid: str | None = None,
        method: str = "POST",
    ) -> None:
        """Let the server send webhooks here: of the account, one service or one conversation.

        ``filters`` are event types, by default all that follow a change; pre-action events must be
        named, and a conversation has none. Raises ValueError for an unknown event, ApiError.
        """
        chosen = tuple(filters)
        for each in chosen:
            _check_event(each)
        if conversation_sid is not None:
            self._account.connection.post(
                f"/v1/Conversations/{conversation_sid}/Webhooks",
                **{
                    "Target": "webhook",
                    "Configuration.Url": self.url,
                    "Configuration.Method": method,
                    "Configuration.Filters": chosen or _OF_CONVERSATIONS,
                },
            )
            return
        service = f"/Services/{service_sid}" if service_sid is not None else ""
        self._account.connection.post(
            f"/v1{service}/Configuration/Webhooks",
            pre_webhook_url=self.url,
            post_webhook_url=self.url,
            method=method,
            filters=chosen or POST_ACTION,
        )

    # --- Received webhooks ----------------------------------------------------------------------

    @property
    def all(self) -> list[Webhook]:
        """All received webhooks, in the order of arrival."""
        with self._changed:
            return list(self._received)

    def clear(self) -> None:
        """Remove the received webhooks."""
        with self._changed:
            self._received.clear()

    def wait_for(self, event: str, *, timeout: float = 2, **parameters: str) -> Webhook:
        """Return the first webhook of an event, received already or within the timeout.

        Args:
            event: its type, such as ``onMessageAdded``.
            timeout: real seconds.
            parameters: values that it must have: ``Body="Hello"``.

        Raises WaitTimedOut, whose text has the received webhooks and the differences,
        InvalidSignature, and ValueError for an unknown event.
        """
        __tracebackhide__ = True
        _check_event(event)
        end = time.monotonic() + timeout
        left = timeout
        with self._changed:
            while True:
                for each in self._received:
                    if each.event == event and not _differences(each, parameters):
                        return each
                # The wait itself ends also where a test has frozen the clock of this process.
                if self._forged or left <= 0 or not self._changed.wait(left):
                    break
                left = end - time.monotonic()
            received = list(self._received)
        self.check_signatures()
        raise WaitTimedOut(_explained(event, parameters, timeout, received))

    async def wait_for_async(
        self,
        event: str,
        *,
        timeout: float = 2,  # noqa: ASYNC109 - passed on to a thread.
        **parameters: str,
    ) -> Webhook:
        """As `wait_for`, while the event loop of the test runs on."""
        return await asyncio.to_thread(self.wait_for, event, timeout=timeout, **parameters)

    def none(self, event: str | None = None) -> None:
        """Check that no webhook has been received, or none of one event.

        Settles the server first, so that none is in flight either. Raises UnexpectedWebhook,
        NotSettled, InvalidSignature, and ValueError for an unknown event.
        """
        __tracebackhide__ = True
        if event is not None:
            _check_event(event)
        self._account.settle()
        self.check_signatures()
        found = [each for each in self.all if event in (None, each.event)]
        if found:
            wanted = "webhook" if event is None else event
            raise UnexpectedWebhook("\n".join([f"Expected no {wanted}, received:", *_shown(found)]))

    async def none_async(self, event: str | None = None) -> None:
        """As `none`, while the event loop of the test runs on."""
        await asyncio.to_thread(self.none, event)

    def check_signatures(self) -> None:
        """Raise InvalidSignature if a request had a wrong signature, or none.

        The fixture ``parlour_webhooks`` calls this after the test.
        """
        with self._changed:
            forged = list(self._forged)
        if forged:
            first = forged[0]
            raise InvalidSignature(
                f"{len(forged)} webhooks have a wrong signature. The first: {first.method} "
                f"{first.url}, X-Twilio-Signature {first.signature or '(none)'}, which the auth "
                f"token of {self._account.sid} does not give for {dict(first.parameters)}."
            )

    # --- Answers --------------------------------------------------------------------------------

    def answer(
        self,
        *,
        status: int = 200,
        times: int = 1,
        delay: float = 0,
        event: str | None = None,
    ) -> None:
        """Answer the next ``times`` requests with a status, after a delay in real seconds.

        0 times: all that follow. ``event`` limits it to one type. Several calls act one after the
        other, and then 200 is the status again. Raises ValueError for an unknown event.
        """
        if event is not None:
            _check_event(event)
        with self._changed:
            self._answers.append(_LimitedAnswer(Answer(status, None, delay), event, times or None))

    def amend(self, fields: Mapping[str, Any]) -> None:
        """Perform the actions of pre-action events with other values: ``amend({"body": "***"})``.

        Messages have ``body``, ``author`` and ``attributes``, conversations ``friendly_name`` and
        ``attributes``. It applies until `accept` or `reject`.
        """
        self._decision = Answer(200, dict(fields))

    def reject(self, *, status: int = 403) -> None:
        """Reject the actions of pre-action events, until `accept`: requests fail with 50056."""
        self._decision = Answer(status)

    def accept(self) -> None:
        """Perform the actions of pre-action events unchanged again."""
        self._decision = None

    def _handle(self, request: ReceivedRequest) -> Answer:
        with self._changed:
            try:
                return self._answer_to(request)
            finally:
                self._changed.notify_all()

    def _answer_to(self, request: ReceivedRequest) -> Answer:
        if not request.is_signed:
            self._forged.append(request)
            return Answer(403)
        webhook = Webhook(request.parameters.get("EventType", ""), request.parameters, request)
        self._received.append(webhook)
        for each in self._answers:
            if each.left != 0 and each.event in (None, webhook.event):
                each.left = each.left - 1 if each.left is not None else None
                return each.answer
        return (self._decision if webhook.is_pre_action else None) or Answer()


def _check_event(event: str) -> None:
    """Raise ValueError for a name of no event: such a webhook never arrives."""
    __tracebackhide__ = True
    known = (*PRE_ACTION, *POST_ACTION)
    if event in known:
        return
    near = get_close_matches(event, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"the events are {', '.join(known)}."
    raise ValueError(f"There is no event {event}; {hint}")


def _differences(webhook: Webhook, parameters: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is {webhook.get(name)!r} instead of {value!r}"
        for name, value in parameters.items()
        if webhook.get(name) != value
    ]


def _explained(
    event: str, parameters: Mapping[str, str], timeout_s: float, received: Sequence[Webhook]
) -> str:
    given = "".join(f", {name}={value!r}" for name, value in parameters.items())
    lines = [f"No {event}{given} within {timeout_s:g} s."]
    same = [each for each in received if each.event == event]
    if parameters and same:
        nearest = min(same, key=lambda each: len(_differences(each, parameters)))
        differences = _differences(nearest, parameters)
        if differences:
            lines.append(f"The nearest one differs: {'; '.join(differences)}.")
    lines += (
        ["Received:", *_shown(received)] if received else ["Nothing was received.", _NO_WEBHOOKS]
    )
    return "\n".join(lines)


def _shown(webhooks: Sequence[Webhook]) -> list[str]:
    lines = []
    for each in webhooks[-_SHOWN_MAX:]:
        names = ("ConversationSid", "MessageSid", "Author", "Body", "Identity", "StateTo", "Status")
        values = ", ".join(f"{name}={each[name]!r}" for name in names if name in each.parameters)
        lines.append(f"  - {each.event} {values}".rstrip())
    return lines
