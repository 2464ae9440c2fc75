"""The expected state: the request log replayed, each object with its final value.

Each response is compared with the one before it: an update must change only the requested fields.
So a change that was lost in one crash shows even if a later one covers it.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.checkers.request_generators import reads_through_user
from tests.checkers.request_log import Line, RequestRecord, ResponseRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.checkers.observed_state import Body, Key
    from tests.checkers.request_log import Step

REFUSALS = (429, 503)
CLOCK_SLACK_MS = 2_000
# Addresses of an object, not its content.
NEVER_COMPARED = frozenset({"url", "links", "chat_service_sid"})
# Fields that change automatically or through changes of other objects.
VOLATILE = {
    "conversation": {"timers"},
    "message": {"delivery"},
    "user": {"is_online", "is_notifiable"},
    "user_conversation": {"last_read_message_index", "unread_messages_count"},
}
HORIZON = {"last_read_message_index", "last_read_timestamp"}
OF_THE_MEMBERSHIP = {"notification_level", "participant_sid", "conversation_sid", "user_sid"}


def kind_of(step: Step) -> str:
    """Return the kind under which the API lists an object."""
    return "participant" if step.kind == "messaging_participant" else step.kind


def look_up(body: Body, dotted: str) -> Any:
    """Return a field of a body; dots descend into objects."""
    value: Any = body
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def changed(body: Body, changes: dict[str, Any]) -> Body:
    """Return the body as it must be after a change."""
    result = copy.deepcopy(body)
    for dotted, value in changes.items():
        *way, last = dotted.split(".")
        place = result
        for name in way:
            place = place.setdefault(name, {})
        place[last] = value
    return result


def visible(kind: str, body: Body, *, without: Iterable[str] = ()) -> Body:
    """Return the part of a body that only its writer can change."""
    if kind == "user_conversation":
        names = set(OF_THE_MEMBERSHIP)
        if reads_through_user(body["participant_sid"]):
            names |= {"last_read_message_index"}
        return {name: body.get(name) for name in names}
    hidden = NEVER_COMPARED | VOLATILE.get(kind, set()) | set(without)
    if kind == "participant" and reads_through_user(body["sid"]):
        hidden |= HORIZON
    return {name: value for name, value in body.items() if name not in hidden}


def first_difference(required: Body, found: Body) -> str | None:
    """Return a description of the first field in which two bodies differ."""
    for name in sorted(required.keys() | found.keys()):
        if required.get(name) != found.get(name):
            return f"{name} should be {required.get(name)!r} and is {found.get(name)!r}"
    return None


def date_ms(text: str) -> int:
    """Parse a date, in ms since 1970; ValueError if it is not one."""
    assert text.endswith("Z")
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _identities(step: Step) -> set[str]:
    """Return the identities of the users that a request may create."""
    named = {value for name, value in step.form if name == "Identity"}
    listed = (json.loads(value) for name, value in step.form if name == "Participant")
    return named | {each["identity"] for each in listed if "identity" in each}


@dataclass(eq=False)
class ExpectedObject:
    """One object with an acknowledged creation."""

    kind: str
    sid: str
    parents: tuple[str, ...]
    body: Body
    story: list[RequestRecord | ResponseRecord] = field(default_factory=list)
    # An update whose response was lost, so that its outcome is unknown. There is one at most.
    unanswered: Step | None = None
    deleted: str = "no"  # or "yes", or "maybe" after a lost response to its deletion
    loose: set[str] = field(default_factory=set)

    @property
    def key(self) -> Key:
        """Return kind and SID."""
        return self.kind, self.sid


@dataclass
class Difference:
    """A deviation from the expected state, with the log records that explain it."""

    what: str
    story: list[RequestRecord | ResponseRecord] = field(default_factory=list)


class ExpectedState:
    """The request log, replayed."""

    def __init__(self, lines: list[Line]) -> None:
        self.known: dict[Key, ExpectedObject] = {}
        self.unanswered_creates: dict[str, list[RequestRecord]] = defaultdict(list)
        self.claims: dict[str, list[tuple[RequestRecord, ResponseRecord]]] = defaultdict(list)
        # All requested identities, and the conversations whose members were added by request.
        self.identities: set[str] = set()
        self.made_one_by_one: set[str] = set()
        self._by_identity: dict[tuple[str, str], list[ExpectedObject]] = defaultdict(list)
        self.acknowledged = 0
        self.unanswered = 0
        self.differences: list[Difference] = []
        responses = {line.number: line for line in lines if isinstance(line, ResponseRecord)}
        for request in lines:
            if isinstance(request, RequestRecord):
                self._play(request, responses.get(request.number))

    def of(self, kind: str) -> Iterator[ExpectedObject]:
        """Return all known objects of a kind."""
        return (known for known in self.known.values() if known.kind == kind)

    def of_identity(self, service_sid: str, identity: str) -> list[ExpectedObject]:
        """Return the acknowledged users with one identity."""
        return self._by_identity[service_sid, identity]

    def possible_creates(self, kind: str) -> Iterator[tuple[Step, str]]:
        """Yield every create of a kind that may have been committed, with its SID if known."""
        for known in self.of(kind):
            if known.story and isinstance(known.story[0], RequestRecord):
                yield known.story[0].step, known.sid
        for request in self.unanswered_creates[kind]:
            yield request.step, ""

    def _play(self, request: RequestRecord, response: ResponseRecord | None) -> None:
        """Apply one request and its response, if there was one."""
        step = request.step
        self.identities |= _identities(step)
        self._touches(step)
        if response is None:
            self.unanswered += 1
            self._lost(request)
        elif response.status in REFUSALS:
            return
        elif response.status not in step.statuses:
            story = [*self._story(step), request, response]
            self._differ(f"{step.operation} was answered {response.status}: {response.body}", story)
        else:
            self.acknowledged += 1
            if step.operation == "claim_unique_name":
                self.claims[step.changes["unique_name"]].append((request, response))
            if (
                response.status < 300
                and step.verb != "delete"
                and not isinstance(response.body, dict)
            ):
                self._differ(f"{step.operation} was answered without a body", [request, response])
            elif response.status < 300:
                getattr(self, f"_{step.verb}")(request, response)

    def _lost(self, request: RequestRecord) -> None:
        """Apply a request without a response: its outcome is unknown."""
        step = request.step
        known = self.known.get((kind_of(step), step.sid))
        if step.verb == "create":
            self.unanswered_creates[kind_of(step)].append(request)
            self._wakes(step, is_acknowledged=False)
        elif known is None:
            return  # A setting without an earlier response.
        elif step.verb == "delete":
            known.story.append(request)
            known.deleted = "maybe"
        else:
            known.story.append(request)
            known.unanswered = step

    def _create(self, request: RequestRecord, response: ResponseRecord) -> None:
        step, body = request.step, response.body or {}
        known = ExpectedObject(
            kind_of(step), body.get("sid", ""), step.parents, body, [request, response]
        )
        self._must_match(known, changed(body, step.changes), body)
        if known.key in self.known:
            self._differ(
                f"the sid {known.sid} was given twice",
                [*self.known[known.key].story, request, response],
            )
        self.known[known.key] = known
        if known.kind == "user":
            self._by_identity[step.parents[-1], body["identity"]].append(known)
        if step.kind == "conversation" and "with_participants" not in step.operation:
            self.made_one_by_one.add(known.sid)
        if step.operation == "create_conversation_with_participants":
            # The response shows it as initializing; it becomes active in the background.
            known.body = changed(body, {"state": "active"})
            known.loose = {"date_updated"}
        self._wakes(step, is_acknowledged=True)
        self._must_be_dated(known, ("date_created", "date_updated"), request, response)

    def _update(self, request: RequestRecord, response: ResponseRecord) -> None:
        step, body = request.step, response.body or {}
        key = (kind_of(step), step.sid)
        known = self.known.get(key)
        if known is None:  # The first response for it.
            known = self.known[key] = ExpectedObject(*key, step.parents, body)
        known.story += [request, response]
        required = changed(known.body, step.changes)
        loose = known.loose - step.changes.keys()
        is_own = known.kind != "user_conversation"  # Has the dates of the conversation.
        if is_own and "date_updated" in body and "date_updated" not in step.changes:
            loose |= {"date_updated"}
            self._must_be_dated(known, ("date_updated",), request, response, body)
        self._must_match(known, required, body, loose)
        known.body, known.loose = body, set()

    def _delete(self, request: RequestRecord, response: ResponseRecord) -> None:
        known = self.known[kind_of(request.step), request.step.sid]
        known.story += [request, response]
        known.deleted = "yes"

    def _touches(self, step: Step) -> None:
        """A user's change of its membership also changes the participant."""
        member = self.known.get(("participant", step.sid))
        if step.kind == "user_conversation" and member is not None:
            member.loose |= {"date_updated"}

    def _wakes(self, step: Step, *, is_acknowledged: bool) -> None:
        """A message makes an inactive conversation active."""
        conversation = self.known.get(("conversation", step.parents[0] if step.parents else ""))
        if step.kind != "message" or conversation is None:
            return
        if conversation.body["state"] == "inactive" or "state" in conversation.loose:
            conversation.loose |= {"date_updated"}
            if is_acknowledged:
                conversation.body = changed(conversation.body, {"state": "active"})
                conversation.loose -= {"state"}
            else:
                conversation.loose |= {"state"}

    def _must_match(
        self, known: ExpectedObject, required: Body, found: Body, loose: Iterable[str] = ()
    ) -> None:
        difference = first_difference(
            visible(known.kind, required, without=loose), visible(known.kind, found, without=loose)
        )
        if difference is not None:
            self._differ(f"an answer on {known.kind} {known.sid}: {difference}", known.story)

    def _must_be_dated(
        self,
        known: ExpectedObject,
        names: tuple[str, ...],
        request: RequestRecord,
        response: ResponseRecord,
        body: Body | None = None,
    ) -> None:
        """The dates of a change are between its request and its response."""
        for name in names:
            text = (body or known.body).get(name)
            try:
                at_ms = date_ms(str(text))
            except (ValueError, AssertionError):
                at_ms = 0
            if not request.at_ms - CLOCK_SLACK_MS <= at_ms <= response.at_ms + CLOCK_SLACK_MS:
                self._differ(f"{known.kind} {known.sid}: {name} cannot be {text}", known.story)

    def _story(self, step: Step) -> list[RequestRecord | ResponseRecord]:
        known = self.known.get((kind_of(step), step.sid))
        return list(known.story) if known else []

    def _differ(self, what: str, story: list[RequestRecord | ResponseRecord]) -> None:
        self.differences.append(Difference(what, list(story)))
