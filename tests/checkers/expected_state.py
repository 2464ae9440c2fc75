"""What the clients were told, played back: each object with the value it must have in the end.

Each answer is compared with the one before it: an update must leave everything that it was not
asked to change. So a change that was lost in one crash shows even if a later one covers it.
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
# How an object is addressed, not what it is.
NEVER_COMPARED = frozenset({"url", "links", "chat_service_sid"})
# What changes by itself or by the doings of others.
VOLATILE = {
    "conversation": {"timers"},
    "message": {"delivery"},
    "user": {"is_online", "is_notifiable"},
    "user_conversation": {"last_read_message_index", "unread_messages_count"},
}
HORIZON = {"last_read_message_index", "last_read_timestamp"}
OF_THE_MEMBERSHIP = {"notification_level", "participant_sid", "conversation_sid", "user_sid"}


def kind_of(step: Step) -> str:
    """The kind under which the API lists an object."""
    return "participant" if step.kind == "messaging_participant" else step.kind


def look_up(body: Body, dotted: str) -> Any:
    """A field of an answer; dots go into objects."""
    value: Any = body
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def changed(body: Body, changes: dict[str, Any]) -> Body:
    """The answer as it must be after a change."""
    result = copy.deepcopy(body)
    for dotted, value in changes.items():
        *way, last = dotted.split(".")
        place = result
        for name in way:
            place = place.setdefault(name, {})
        place[last] = value
    return result


def visible(kind: str, body: Body, *, without: Iterable[str] = ()) -> Body:
    """The part of an answer that only its writer can change."""
    if kind == "user_conversation":
        names = set(OF_THE_MEMBERSHIP)
        if reads_through_user(body["participant_sid"]):
            names |= {"last_read_message_index"}
        return {name: body.get(name) for name in names}
    hidden = NEVER_COMPARED | VOLATILE.get(kind, set()) | set(without)
    if kind == "participant" and reads_through_user(body["sid"]):
        hidden |= HORIZON
    return {name: value for name, value in body.items() if name not in hidden}


def first_difference(wanted: Body, found: Body) -> str | None:
    """The first field in which two answers differ, in words."""
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            return f"{name} should be {wanted.get(name)!r} and is {found.get(name)!r}"
    return None


def date_ms(text: str) -> int:
    """A date of an answer, in ms since 1970; ValueError if it is not one."""
    assert text.endswith("Z")
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _identities(step: Step) -> set[str]:
    """The identities that a request may make users of."""
    named = {value for name, value in step.form if name == "Identity"}
    listed = (json.loads(value) for name, value in step.form if name == "Participant")
    return named | {each["identity"] for each in listed if "identity" in each}


@dataclass(eq=False)
class ExpectedObject:
    """One object that the clients were told of."""

    kind: str
    sid: str
    parents: tuple[str, ...]
    body: Body
    story: list[RequestRecord | ResponseRecord] = field(default_factory=list)
    # An update whose answer was lost: done or not. There is one at most.
    unanswered: Step | None = None
    gone: str = "no"  # or "yes", or "maybe" when the answer to its removal was lost
    loose: set[str] = field(default_factory=set)

    @property
    def key(self) -> Key:
        """Kind and sid."""
        return self.kind, self.sid


@dataclass
class Difference:
    """Something that is not as it was told, with the lines of the ledger that tell it."""

    what: str
    story: list[RequestRecord | ResponseRecord] = field(default_factory=list)


class ExpectedState:
    """The ledger, played back."""

    def __init__(self, lines: list[Line]) -> None:
        self.known: dict[Key, ExpectedObject] = {}
        self.unanswered_creates: dict[str, list[RequestRecord]] = defaultdict(list)
        self.claims: dict[str, list[tuple[RequestRecord, ResponseRecord]]] = defaultdict(list)
        # Every identity that was asked for, and the conversations whose members one asked for.
        self.identities: set[str] = set()
        self.made_one_by_one: set[str] = set()
        self._by_identity: dict[tuple[str, str], list[ExpectedObject]] = defaultdict(list)
        self.acknowledged = 0
        self.unanswered = 0
        self.differences: list[Difference] = []
        told = {line.number: line for line in lines if isinstance(line, ResponseRecord)}
        for asked in lines:
            if isinstance(asked, RequestRecord):
                self._play(asked, told.get(asked.number))

    def of(self, kind: str) -> Iterator[ExpectedObject]:
        """Every known object of a kind."""
        return (known for known in self.known.values() if known.kind == kind)

    def of_identity(self, service_sid: str, identity: str) -> list[ExpectedObject]:
        """The users that were told of under one identity."""
        return self._by_identity[service_sid, identity]

    def asked_creates(self, kind: str) -> Iterator[tuple[Step, str]]:
        """Every create of a kind that may have been done, with the sid if it was told."""
        for known in self.of(kind):
            if known.story and isinstance(known.story[0], RequestRecord):
                yield known.story[0].step, known.sid
        for asked in self.unanswered_creates[kind]:
            yield asked.step, ""

    def _play(self, asked: RequestRecord, told: ResponseRecord | None) -> None:
        """Takes one request and its answer, if there was one."""
        step = asked.step
        self.identities |= _identities(step)
        self._touches(step)
        if told is None:
            self.unanswered += 1
            self._lost(asked)
        elif told.status in REFUSALS:
            return
        elif told.status not in step.statuses:
            story = [*self._story(step), asked, told]
            self._differ(f"{step.operation} was answered {told.status}: {told.body}", story)
        else:
            self.acknowledged += 1
            if step.operation == "claim_unique_name":
                self.claims[step.changes["unique_name"]].append((asked, told))
            if told.status < 300 and step.verb != "delete" and not isinstance(told.body, dict):
                self._differ(f"{step.operation} was answered without a body", [asked, told])
            elif told.status < 300:
                getattr(self, f"_{step.verb}")(asked, told)

    def _lost(self, asked: RequestRecord) -> None:
        """A request without an answer: done or not."""
        step = asked.step
        known = self.known.get((kind_of(step), step.sid))
        if step.verb == "create":
            self.unanswered_creates[kind_of(step)].append(asked)
            self._wakes(step, is_told=False)
        elif known is None:
            return  # A setting of which nothing was told before.
        elif step.verb == "delete":
            known.story.append(asked)
            known.gone = "maybe"
        else:
            known.story.append(asked)
            known.unanswered = step

    def _create(self, asked: RequestRecord, told: ResponseRecord) -> None:
        step, body = asked.step, told.body or {}
        known = ExpectedObject(
            kind_of(step), body.get("sid", ""), step.parents, body, [asked, told]
        )
        self._must_match(known, changed(body, step.changes), body)
        if known.key in self.known:
            self._differ(
                f"the sid {known.sid} was given twice", [*self.known[known.key].story, asked, told]
            )
        self.known[known.key] = known
        if known.kind == "user":
            self._by_identity[step.parents[-1], body["identity"]].append(known)
        if step.kind == "conversation" and "with_participants" not in step.operation:
            self.made_one_by_one.add(known.sid)
        if step.operation == "create_conversation_with_participants":
            # It is told as initializing, and becomes active in the background.
            known.body = changed(body, {"state": "active"})
            known.loose = {"date_updated"}
        self._wakes(step, is_told=True)
        self._must_be_dated(known, ("date_created", "date_updated"), asked, told)

    def _update(self, asked: RequestRecord, told: ResponseRecord) -> None:
        step, body = asked.step, told.body or {}
        key = (kind_of(step), step.sid)
        known = self.known.get(key)
        if known is None:  # The first that is told of a setting or a membership.
            known = self.known[key] = ExpectedObject(*key, step.parents, body)
        known.story += [asked, told]
        wanted = changed(known.body, step.changes)
        loose = known.loose - step.changes.keys()
        is_own = known.kind != "user_conversation"  # Its dates are those of the conversation.
        if is_own and "date_updated" in body and "date_updated" not in step.changes:
            loose |= {"date_updated"}
            self._must_be_dated(known, ("date_updated",), asked, told, body)
        self._must_match(known, wanted, body, loose)
        known.body, known.loose = body, set()

    def _delete(self, asked: RequestRecord, told: ResponseRecord) -> None:
        known = self.known[kind_of(asked.step), asked.step.sid]
        known.story += [asked, told]
        known.gone = "yes"

    def _touches(self, step: Step) -> None:
        """What a user sets in its membership is a change of the participant."""
        member = self.known.get(("participant", step.sid))
        if step.kind == "user_conversation" and member is not None:
            member.loose |= {"date_updated"}

    def _wakes(self, step: Step, *, is_told: bool) -> None:
        """A message makes an inactive conversation active."""
        conversation = self.known.get(("conversation", step.parents[0] if step.parents else ""))
        if step.kind != "message" or conversation is None:
            return
        if conversation.body["state"] == "inactive" or "state" in conversation.loose:
            conversation.loose |= {"date_updated"}
            if is_told:
                conversation.body = changed(conversation.body, {"state": "active"})
                conversation.loose -= {"state"}
            else:
                conversation.loose |= {"state"}

    def _must_match(
        self, known: ExpectedObject, wanted: Body, found: Body, loose: Iterable[str] = ()
    ) -> None:
        difference = first_difference(
            visible(known.kind, wanted, without=loose), visible(known.kind, found, without=loose)
        )
        if difference is not None:
            self._differ(f"an answer on {known.kind} {known.sid}: {difference}", known.story)

    def _must_be_dated(
        self,
        known: ExpectedObject,
        names: tuple[str, ...],
        asked: RequestRecord,
        told: ResponseRecord,
        body: Body | None = None,
    ) -> None:
        """What was done just now is dated now."""
        for name in names:
            text = (body or known.body).get(name)
            try:
                at_ms = date_ms(str(text))
            except (ValueError, AssertionError):
                at_ms = 0
            if not asked.at_ms - CLOCK_SLACK_MS <= at_ms <= told.at_ms + CLOCK_SLACK_MS:
                self._differ(f"{known.kind} {known.sid}: {name} cannot be {text}", known.story)

    def _story(self, step: Step) -> list[RequestRecord | ResponseRecord]:
        known = self.known.get((kind_of(step), step.sid))
        return list(known.story) if known else []

    def _differ(self, what: str, story: list[RequestRecord | ResponseRecord]) -> None:
        self.differences.append(Difference(what, list(story)))
