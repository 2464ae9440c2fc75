"""Comparison of expected and observed state: nothing lost, nothing invented, nothing partial.

`differences` yields all violations, the earliest first;
`describe` formats one with its history.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.checkers.expected_state import (
    Difference,
    ExpectedObject,
    ExpectedState,
    changed,
    first_difference,
    look_up,
    visible,
)
from tests.checkers.request_log import Line, RequestRecord, ResponseRecord, ServerNote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.checkers.observed_state import Body, ObservedState
    from tests.checkers.request_log import Step

# The field that identifies an object whose creator never received its SID.
MARK = {
    "conversation": "friendly_name",
    "message": "body",
    "participant": "attributes",
    "scoped_webhook": "configuration.url",
    "user": "identity",
    "role": "friendly_name",
    "credential": "friendly_name",
    "address": "friendly_name",
    "service": "friendly_name",
    "push_binding": "endpoint",
}
STORY_LINES_MAX = 14
BODY_CHARS_MAX = 400
DEFAULT_ROLES = {"service admin", "service user", "channel admin", "channel user"}


def differences(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """Yield every difference between observed and acknowledged state."""
    yield from expected.differences
    for key in observed.shown_twice:
        yield Difference(f"{key[0]} {key[1]} is listed twice")
    for known in expected.known.values():
        yield from _known(expected, observed, known)
    yield from _invented(expected, observed)
    yield from _indexes(expected, observed)
    yield from _background(expected, observed)
    yield from _users(expected, observed)
    yield from _claims(expected)
    yield from _deliveries(expected, observed)


def _known(
    expected: ExpectedState, observed: ObservedState, known: ExpectedObject
) -> Iterator[Difference]:
    """Check one acknowledged object."""
    found = observed.objects.get(known.key)
    name = f"{known.kind} {known.sid}"
    presence = _required_presence(expected, observed, known)
    if presence == "deleted" and found is not None:
        yield Difference(f"{name} was deleted and is there again", known.story)
    elif presence == "present" and found is None:
        yield Difference(f"{name} is lost", known.story)
    elif found is not None:
        difference = _value(known, found)
        if difference is not None:
            yield Difference(f"{name}: {difference}", known.story)


def _required_presence(
    expected: ExpectedState, observed: ObservedState, known: ExpectedObject
) -> str:
    """Return whether an object must exist, must be deleted, or may be either."""
    above = [expected.known.get((kind, sid)) for sid in known.parents for kind in _above(known)]
    owners = [owner for owner in above if owner] + _user_of(expected, known)
    deletions = {known.deleted}
    for owner in owners:
        is_open = owner.deleted == "maybe"
        # An unacknowledged deletion removes everything below with it, or nothing.
        deletions.add(
            ("no" if owner.key in observed.objects else "yes") if is_open else owner.deleted
        )
    if "yes" in deletions:
        return "deleted"
    return "open" if "maybe" in deletions else "present"


def _above(known: ExpectedObject) -> tuple[str, ...]:
    return ("participant", "conversation", "service") if known.parents else ()


def _user_of(expected: ExpectedState, known: ExpectedObject) -> list[ExpectedObject]:
    """Return the users whose deletion removes this membership."""
    if known.kind == "user_conversation":
        member = expected.known.get(("participant", known.sid))
        return _user_of(expected, member) if member else []
    if known.kind != "participant" or not known.body.get("identity"):
        return []
    place = (known.parents[-1], known.body["identity"])
    return [user for user in expected.of_identity(*place) if user.sid]


def _value(known: ExpectedObject, found: Body) -> str | None:
    """Return how an object differs from its acknowledged value; an open update may count."""
    loose = set(known.loose)
    outdated = first_difference(
        visible(known.kind, known.body, without=loose), visible(known.kind, found, without=loose)
    )
    if outdated is None or known.unanswered is None:
        return outdated
    changes = known.unanswered.changes
    loose = (loose | {"date_updated"}) - changes.keys()
    required = changed(known.body, changes)
    done = first_difference(
        visible(known.kind, required, without=loose), visible(known.kind, found, without=loose)
    )
    return done and f"neither as in the last response ({outdated}) nor as requested last ({done})"


def _invented(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """Yield objects without a request."""
    marks = {
        kind: Counter(_mark(request.step, kind) for request in expected.unanswered_creates[kind])
        for kind in MARK
    }
    for (kind, sid), body in observed.objects.items():
        if (kind, sid) in expected.known or kind not in MARK:
            continue
        if _is_given(expected, observed, kind, body):
            continue
        mark = look_up(body, MARK[kind])
        if marks[kind][mark] == 0:
            yield Difference(f"no request for {kind} {sid}: {json.dumps(body)}")
        elif wrong := _mismatch(expected, kind, mark, body):
            yield Difference(f"{kind} {sid} was made by half: {wrong}")
        marks[kind][mark] -= 1


def _mark(step: Step, kind: str) -> Any:
    return step.changes[MARK[kind]]


def _is_given(expected: ExpectedState, observed: ObservedState, kind: str, body: Body) -> bool:
    """Return whether the server creates such an object automatically."""
    if kind == "service":
        configuration = observed.objects["configuration", "configuration"]
        return bool(body["sid"] == configuration["default_chat_service_sid"])
    if kind == "role":
        return body["friendly_name"] in DEFAULT_ROLES
    if kind == "user":
        return body["identity"] in expected.identities
    if kind == "participant":
        return body["conversation_sid"] not in expected.made_one_by_one
    return False


def _mismatch(expected: ExpectedState, kind: str, mark: Any, body: Body) -> str | None:
    """Return how an object differs from its unanswered create request."""
    for request in expected.unanswered_creates[kind]:
        if _mark(request.step, kind) == mark:
            required = changed(body, request.step.changes)
            return first_difference(visible(kind, required), visible(kind, body))
    return None


def _indexes(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """The messages of a conversation are numbered 0, 1, 2 ... without gaps."""
    given: dict[str, list[tuple[int, str]]] = {
        sid: [(body["index"], body["sid"]) for body in found]
        for sid, found in observed.below("message").items()
    }
    for known in expected.of("message"):
        if known.key not in observed.objects and known.deleted != "no":
            sid = known.parents[0]
            given.setdefault(sid, []).append((known.body["index"], known.sid))
    for sid, indexes in given.items():
        if ("conversation", sid) not in observed.objects:
            continue
        for place, (index, message) in enumerate(sorted(indexes)):
            if index != place:
                what = f"message {message} of {sid} has index {index} and should have {place}"
                known_message = expected.known.get(("message", message))
                yield Difference(what, known_message.story if known_message else [])
                break


def _background(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """A conversation created with participants has all of them, and is active."""
    members = observed.below("participant")
    operation = "create_conversation_with_participants"
    by_name = {
        step.changes["friendly_name"]: step
        for step, _ in expected.possible_creates("conversation")
        if step.operation == operation
    }
    for body in observed.of("conversation"):
        step = by_name.get(body["friendly_name"])
        if step is None:
            continue
        required = sorted(
            _member_name(json.loads(text)) for name, text in step.form if name == "Participant"
        )
        found = sorted(_member_name(member) for member in members.get(body["sid"], []))
        if found != required or body["state"] != "active":
            yield Difference(
                f"conversation {body['sid']} is {body['state']} with {found}, asked: {required}"
            )


def _member_name(participant: Body) -> str:
    binding = participant.get("messaging_binding") or {}
    return str(participant.get("identity") or binding.get("address"))


def _users(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """A participant with an identity is a user of the service, once."""
    users = Counter((body["chat_service_sid"], body["identity"]) for body in observed.of("user"))
    for place, count in users.items():
        if count > 1:
            yield Difference(f"{count} users have the identity {place}")
    services = {body["sid"]: body["chat_service_sid"] for body in observed.of("conversation")}
    for body in observed.of("participant"):
        place = (services.get(body["conversation_sid"]), body["identity"])
        if body["identity"] and users[place] == 0:
            known = expected.known.get(("participant", body["sid"]))
            yield Difference(f"there is no user {place}", known.story if known else [])


def _claims(expected: ExpectedState) -> Iterator[Difference]:
    """Of several claims to one unique name, one succeeds and the others are rejected."""
    unanswered = Counter(
        request.step.changes["unique_name"]
        for request in expected.unanswered_creates["conversation"]
        if request.step.operation == "claim_unique_name"
    )
    for name, tries in expected.claims.items():
        winners = [(request, response) for request, response in tries if response.status == 201]
        story = [line for pair in tries for line in pair]
        if len(winners) > 1:
            yield Difference(f"{len(winners)} got the unique name {name}", story)
        if not winners and not unanswered[name]:
            yield Difference(f"no request got the unique name {name}", story)


def _deliveries(expected: ExpectedState, observed: ObservedState) -> Iterator[Difference]:
    """A message has one receipt for each recipient with a number, all delivered."""
    for sid, receipts in observed.receipts.items():
        delivery = observed.objects["message", sid]["delivery"]
        statuses = Counter(receipt["status"] for receipt in receipts)
        if delivery["total"] != len(receipts) or statuses["delivered"] != len(receipts):
            known = expected.known.get(("message", sid))
            what = f"message {sid}: {delivery} with receipts {dict(statuses)}"
            yield Difference(what, known.story if known else [])


def describe(difference: Difference, lines: list[Line]) -> str:
    """Return a difference with its history: requests, responses, and notes about the server."""
    story: list[Line] = list(difference.story)
    if story:
        begin, end = story[0].at_ms - 1_000, story[-1].at_ms + 3_000
        story += [
            line for line in lines if isinstance(line, ServerNote) and begin <= line.at_ms <= end
        ]
        story.sort(key=lambda line: line.at_ms)
    formatted = [f"  {_line(line)}" for line in story]
    if len(formatted) > STORY_LINES_MAX:
        formatted[2 : 2 - STORY_LINES_MAX] = ["  ..."]
    return "\n".join([difference.what, *formatted])


def _line(line: Line) -> str:
    at = datetime.fromtimestamp(line.at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    match line:
        case RequestRecord():
            form = "&".join(f"{name}={value}" for name, value in line.step.form)
            request = f"{line.step.method} {line.step.path} {form}"
            return f"{at} writer {line.writer} sent (no. {line.number}) {request}"
        case ResponseRecord():
            body = json.dumps(line.body)[:BODY_CHARS_MAX]
            return f"{at} and received (no. {line.number}) {line.status} {body}"
        case ServerNote():
            return f"{at} ** {line.text}"
