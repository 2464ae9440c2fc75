"""The state checker reports one fault in request logs and databases, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checkers.expected_state import ExpectedState
from tests.checkers.observed_state import ObservedState
from tests.checkers.request_log import Line, RequestRecord, ResponseRecord, ServerNote, Step
from tests.checkers.state_checker import describe, differences

SERVICE = "IS" + "0" * 31 + "1"
CONVERSATION = "CH" + "0" * 31 + "1"
OTHER = "CH" + "0" * 31 + "2"
MESSAGES = tuple("IM" + "0" * 31 + str(number) for number in range(3))
MEMBER = "MB" + "0" * 31 + "1"
USER = "US" + "0" * 31 + "1"
AT_MS = 1_700_000_000_000
DATE = "2023-11-14T22:13:20Z"
CREATED, UPDATED, DELETED = (201,), (200,), (204,)

Body = dict[str, Any]


def dated(body: Body) -> Body:
    return body | {"date_created": DATE, "date_updated": DATE}


def conversation(sid: str, name: str) -> Body:
    return dated(
        {
            "sid": sid,
            "chat_service_sid": SERVICE,
            "friendly_name": name,
            "unique_name": None,
            "attributes": "{}",
            "state": "active",
        }
    )


def message(index: int) -> Body:
    body = {"sid": MESSAGES[index], "conversation_sid": CONVERSATION, "index": index}
    return dated(body | {"body": f"body {index}", "attributes": "{}", "delivery": None})


MEMBER_BODY = dated(
    {
        "sid": MEMBER,
        "conversation_sid": CONVERSATION,
        "identity": "ann",
        "attributes": "{1}",
        "messaging_binding": None,
    }
)
USER_BODY = dated({"sid": USER, "chat_service_sid": SERVICE, "identity": "ann"})


class Case:
    """A request log and a stored state; at first they agree."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.observed = ObservedState()
        self.observed.objects["configuration", "configuration"] = {
            "default_chat_service_sid": SERVICE
        }
        self.add_created(
            "conversation", conversation(CONVERSATION, "first"), {"friendly_name": "first"}
        )
        for index in range(3):
            changes = {"body": f"body {index}"}
            self.add_created("message", message(index), changes, (CONVERSATION, SERVICE))
        form = (("Identity", "ann"),)
        parents = (CONVERSATION, SERVICE)
        self.add_created("participant", MEMBER_BODY, {"attributes": "{1}"}, parents, form)
        self.observed.objects["user", USER] = USER_BODY

    def record_request(self, step: Step) -> int:
        number = len(self.lines) + 1
        self.lines.append(RequestRecord(number, 0, AT_MS, step))
        return number

    def add_created(
        self,
        kind: str,
        body: Body,
        changes: dict[str, Any],
        parents: tuple[str, ...] = (SERVICE,),
        form: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Add an acknowledged and stored create."""
        step = Step(f"create_{kind}", kind, "create", "", form, "", parents, changes, CREATED)
        self.lines.append(ResponseRecord(self.record_request(step), AT_MS, 201, body))
        self.observed.objects[kind, body["sid"]] = dict(body)

    def update(self, changes: dict[str, Any], *, answered: bool) -> None:
        """Log an update of the conversation; the stored state is unchanged."""
        step = Step("update", "conversation", "update", "", (), CONVERSATION, (), changes, UPDATED)
        number = self.record_request(step)
        if answered:
            body = conversation(CONVERSATION, "first") | changes
            self.lines.append(ResponseRecord(number, AT_MS, 200, body))

    def delete(self, kind: str, sid: str, *, answered: bool) -> None:
        """Log a deletion; the stored state is unchanged."""
        step = Step("delete", kind, "delete", "", (), sid, (), {}, DELETED)
        number = self.record_request(step)
        if answered:
            self.lines.append(ResponseRecord(number, AT_MS, 204, None))

    def found(self) -> list[str]:
        """Return the findings of the checker."""
        return [each.what for each in differences(ExpectedState(self.lines), self.observed)]

    def of(self, kind: str, sid: str) -> Body:
        """Return a stored object."""
        return self.observed.objects[kind, sid]


@pytest.fixture
def case() -> Case:
    return Case()


def test_matching_states_have_no_differences(case: Case) -> None:
    assert case.found() == []


def test_a_lost_object_is_reported(case: Case) -> None:
    del case.observed.objects["message", MESSAGES[1]]

    assert case.found()[0] == f"message {MESSAGES[1]} is lost"


def test_a_lost_update_is_reported(case: Case) -> None:
    case.update({"friendly_name": "second", "attributes": "{2}"}, answered=True)

    assert "friendly_name should be 'second'" in case.found()[0] or (
        "attributes should be '{2}'" in case.found()[0]
    )


def test_lost_update_before_a_later_one_is_reported(case: Case) -> None:
    case.update({"attributes": "{2}"}, answered=True)
    # The next response shows the attributes as they were before.
    case.update({"friendly_name": "third"}, answered=True)
    case.of("conversation", CONVERSATION)["friendly_name"] = "third"

    assert "attributes should be '{2}' and is '{}'" in case.found()[0]


def test_update_without_a_response_may_be_applied_or_not(case: Case) -> None:
    case.update({"friendly_name": "second", "attributes": "{2}"}, answered=False)
    assert case.found() == []

    case.of("conversation", CONVERSATION).update(friendly_name="second", attributes="{2}")
    assert case.found() == []


def test_update_without_a_response_may_not_be_partial(case: Case) -> None:
    case.update({"friendly_name": "second", "attributes": "{2}"}, answered=False)
    case.of("conversation", CONVERSATION).update(friendly_name="second")

    assert "neither as in the last response" in case.found()[0]


def test_deleted_object_that_exists_again_is_reported(case: Case) -> None:
    case.delete("message", MESSAGES[2], answered=True)

    assert case.found()[0] == f"message {MESSAGES[2]} was deleted and is there again"


def test_deletion_without_a_response_removes_all_children_or_none(case: Case) -> None:
    case.delete("conversation", CONVERSATION, answered=False)
    assert case.found() == []

    for key in [("conversation", CONVERSATION), ("participant", MEMBER)]:
        del case.observed.objects[key]
    for sid in MESSAGES[:2]:
        del case.observed.objects["message", sid]
    assert case.found() == [f"message {MESSAGES[2]} was deleted and is there again"]


def test_object_without_a_request_is_reported(case: Case) -> None:
    case.observed.objects["conversation", OTHER] = conversation(OTHER, "nobody's")

    assert case.found()[0].startswith(f"no request for conversation {OTHER}")


def test_create_without_a_response_may_be_applied_or_not(case: Case) -> None:
    changes = {"friendly_name": "second", "attributes": "{2}"}
    case.record_request(
        Step("create", "conversation", "create", "", (), "", (SERVICE,), changes, CREATED)
    )
    assert case.found() == []

    made = conversation(OTHER, "second") | {"attributes": "{2}"}
    case.observed.objects["conversation", OTHER] = made
    assert case.found() == []

    case.observed.objects["conversation", OTHER] = conversation(OTHER, "second")
    assert f"conversation {OTHER} was made by half" in case.found()[0]


def test_a_gap_in_the_indexes_is_reported(case: Case) -> None:
    case.of("message", MESSAGES[2])["index"] = 3

    assert any("has index 3 and should have 2" in what for what in case.found())


def test_the_index_of_a_removed_message_is_no_gap(case: Case) -> None:
    case.delete("message", MESSAGES[1], answered=True)
    del case.observed.objects["message", MESSAGES[1]]

    assert case.found() == []


def test_a_sid_given_twice_is_reported(case: Case) -> None:
    case.add_created("message", message(1), {"body": "body 1"}, (CONVERSATION, SERVICE))

    assert f"the sid {MESSAGES[1]} was given twice" in case.found()


def test_invalid_response_is_reported(case: Case) -> None:
    step = Step("update", "conversation", "update", "", (), CONVERSATION, (), {}, UPDATED)
    case.lines.append(ResponseRecord(case.record_request(step), AT_MS, 404, {"code": 20404}))

    assert "update was answered 404" in case.found()[0]


def test_rejection_at_a_limit_is_valid(case: Case) -> None:
    step = Step("update", "conversation", "update", "", (), CONVERSATION, (), {}, UPDATED)
    case.lines.append(ResponseRecord(case.record_request(step), AT_MS, 503, {"code": 20503}))

    assert case.found() == []


def test_a_participant_that_is_no_user_is_reported(case: Case) -> None:
    del case.observed.objects["user", USER]

    assert case.found() == [f"there is no user ('{SERVICE}', 'ann')"]


def test_unique_name_given_twice_is_reported(case: Case) -> None:
    for sid in (OTHER, "CH" + "0" * 31 + "3"):
        changes = {"friendly_name": sid, "unique_name": "claim"}
        step = Step("claim_unique_name", "conversation", "create", "", (), "", (), changes, CREATED)
        body = conversation(sid, sid) | {"unique_name": "claim"}
        case.lines.append(ResponseRecord(case.record_request(step), AT_MS, 201, body))
        case.observed.objects["conversation", sid] = body

    assert case.found() == ["2 got the unique name claim"]


def test_a_message_without_one_of_its_receipts_is_reported(case: Case) -> None:
    case.of("message", MESSAGES[0])["delivery"] = {"total": 2}
    case.observed.receipts[MESSAGES[0]] = [{"status": "delivered"}]

    assert f"message {MESSAGES[0]}: {{'total': 2}}" in case.found()[0]


def test_history_has_requests_responses_and_kills(case: Case) -> None:
    case.lines.append(ServerNote(AT_MS + 500, "kill 7"))
    del case.observed.objects["message", MESSAGES[1]]

    story = describe(next(differences(ExpectedState(case.lines), case.observed)), case.lines)

    assert [line.strip().split(" ", 1)[-1][:24] for line in story.splitlines()[1:]] == [
        "writer 0 sent (no. 5) PO",
        "and received (no. 5) 201",
        "** kill 7",
    ]
