"""Webhooks of a conversation: required and accepted parameters of each target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.message_setup import MessageClient, rows
from tests.resources.participant_setup import DATE

if TYPE_CHECKING:
    from tests.support.client import Api, ApiResponse, Fields
    from tests.support.server import Server

URL = "Configuration.Url"
METHOD = "Configuration.Method"
FILTERS = "Configuration.Filters"
TRIGGERS = "Configuration.Triggers"
FLOW = "Configuration.FlowSid"
REPLAY = "Configuration.ReplayAfter"

FLOW_SID = "FW" + "a" * 32
PLACE = "https://example.com/hook?a=b"
FORMS: dict[str, dict[str, Any]] = {
    "webhook": {
        "Target": "webhook",
        URL: PLACE,
        FILTERS: ["onMessageAdded", "onConversationRemoved"],
    },
    "trigger": {"Target": "trigger", URL: PLACE, TRIGGERS: ["help", "STOP"]},
    "studio": {"Target": "studio", FLOW: FLOW_SID},
}
SHOWN: dict[str, dict[str, Any]] = {
    "webhook": {
        "url": PLACE,
        "method": "POST",
        "filters": ["onMessageAdded", "onConversationRemoved"],
    },
    "trigger": {
        "url": PLACE,
        "method": "POST",
        "triggers": ["help", "STOP"],
        "filters": ["help", "STOP"],
    },
    "studio": {"flow_sid": FLOW_SID},
}
POST_ACTION = [
    "onMessageAdded",
    "onMessageUpdated",
    "onMessageRemoved",
    "onConversationUpdated",
    "onConversationRemoved",
    "onConversationStateUpdated",
    "onParticipantAdded",
    "onParticipantUpdated",
    "onParticipantRemoved",
    "onDeliveryUpdated",
]


class Hooks(MessageClient):
    """One conversation and its webhooks."""

    @property
    def hooks(self) -> str:
        return f"/Conversations/{self.sid}/Webhooks"

    def attach(self, form: Fields) -> dict[str, Any]:
        made: dict[str, Any] = self.api.post(self.hooks, form).expect(201)
        return made

    def look(self, hook: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.hooks}/{hook['sid']}").expect(200)
        return found

    def turn(self, hook: dict[str, Any], form: Fields) -> ApiResponse:
        return self.api.post(f"{self.hooks}/{hook['sid']}", form)

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(self.hooks).expect(200)["webhooks"]
        return found


@pytest.fixture
def hooks(server: Server, form_api: Api) -> Hooks:
    made = Hooks.make(server, form_api)
    assert isinstance(made, Hooks)
    return made


@pytest.mark.parametrize("target", FORMS)
def test_a_webhook_of_each_target_is_shown_as_documented(hooks: Hooks, target: str) -> None:
    hook = hooks.attach(FORMS[target])
    keys = [
        "account_sid",
        "conversation_sid",
        "sid",
        "target",
        "configuration",
        "date_created",
        "date_updated",
        "url",
    ]
    if hooks.api.prefix != "/v1":
        keys.insert(1, "chat_service_sid")
        assert hook["chat_service_sid"] == hooks.service_sid
    assert list(hook) == keys
    assert hook["account_sid"] == hooks.account_sid
    assert hook["conversation_sid"] == hooks.sid
    assert hook["sid"].startswith("WH")
    assert hook["target"] == target
    assert hook["configuration"] == SHOWN[target]
    assert list(hook["configuration"]) == list(SHOWN[target])
    assert DATE.fullmatch(hook["date_created"])
    assert hook["date_updated"] == hook["date_created"]
    place = f"{hooks.hooks}/{hook['sid']}"
    assert hook["url"] == f"{hooks.api.base_url}{hooks.api.prefix}{place}"
    assert hooks.look(hook) == hook
    assert hooks.listed() == [hook]


@pytest.mark.parametrize("target", FORMS)
def test_the_replay_is_shown_where_it_was_requested(hooks: Hooks, target: str) -> None:
    hook = hooks.attach({**FORMS[target], REPLAY: 7})
    assert hook["configuration"] == {**SHOWN[target], "replay_after": 7}
    changed = hooks.turn(hook, {REPLAY: 9, **FORMS[target]}).expect(200)
    assert changed["configuration"]["replay_after"] == 7


@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "9" * 40])
def test_a_replay_begins_at_an_index(hooks: Hooks, text: str) -> None:
    hooks.api.post(hooks.hooks, {**FORMS["studio"], REPLAY: text}).refuses(400, 20001)


@pytest.mark.parametrize(
    ("method", "shown"), [("get", "GET"), ("GET", "GET"), ("Post", "POST"), ("post", "POST")]
)
def test_the_method_is_accepted_in_any_case(hooks: Hooks, method: str, shown: str) -> None:
    hook = hooks.attach({**FORMS["webhook"], METHOD: method})
    assert hook["configuration"]["method"] == shown
    assert hooks.turn(hook, {METHOD: "get"}).expect(200)["configuration"]["method"] == "GET"


@pytest.mark.parametrize("target", ["WEBHOOK", "Trigger", "STUDIO"])
def test_the_target_is_accepted_in_any_case(hooks: Hooks, target: str) -> None:
    form = {**FORMS[target.lower()], "Target": target}
    assert hooks.attach(form)["target"] == target.lower()


def test_every_post_action_event_of_a_conversation_may_be_a_filter(hooks: Hooks) -> None:
    hook = hooks.attach({**FORMS["webhook"], FILTERS: POST_ACTION})
    assert hook["configuration"]["filters"] == POST_ACTION


def test_a_flow_may_have_filters(hooks: Hooks) -> None:
    hook = hooks.attach({**FORMS["studio"], FILTERS: ["onMessageAdded"]})
    assert hook["configuration"] == {"flow_sid": FLOW_SID, "filters": ["onMessageAdded"]}


MISSING = [
    ({}, 20001),
    ({"Target": ""}, 50368),
    ({"Target": "webhook", FILTERS: "onMessageAdded"}, 50369),
    ({"Target": "trigger", TRIGGERS: "help"}, 50369),
    ({"Target": "webhook", URL: "", FILTERS: "onMessageAdded"}, 50369),
    ({"Target": "webhook", URL: PLACE}, 50370),
    ({"Target": "webhook", URL: PLACE, FILTERS: ""}, 50370),
    ({"Target": "trigger", URL: PLACE}, 50371),
    ({"Target": "trigger", URL: PLACE, TRIGGERS: ""}, 50371),
    ({"Target": "studio"}, 50367),
]
WRONG: list[tuple[str, dict[str, Any], int]] = [
    ("webhook", {URL: "example.com"}, 20001),
    ("webhook", {URL: "ftp://example.com"}, 20001),
    ("webhook", {URL: "https://example.com/" + "x" * 493}, 50372),
    ("trigger", {URL: "https://example.com/" + "x" * 493}, 50372),
    ("webhook", {METHOD: "put"}, 50055),
    ("webhook", {METHOD: ""}, 50055),
    ("webhook", {FILTERS: "onMessageAdd"}, 50365),
    ("webhook", {FILTERS: "onConversationAdded"}, 50365),
    ("webhook", {FILTERS: "onUserUpdated"}, 50365),
    ("webhook", {FILTERS: "onmessageadded"}, 50365),
    ("webhook", {FILTERS: "onMessageSent"}, 50365),
    ("webhook", {FILTERS: ["onMessageAdded", ""]}, 50365),
    ("webhook", {FILTERS: ["onMessageAdded"] * 65}, 50365),
    ("trigger", {TRIGGERS: ["x"] * 6}, 50362),
    ("trigger", {TRIGGERS: ["x", ""]}, 50366),
    ("trigger", {TRIGGERS: ["x", "y" * 249]}, 50366),
    ("studio", {FLOW: "FW12"}, 50367),
    ("studio", {FLOW: ""}, 50367),
]


@pytest.mark.parametrize(("form", "code"), MISSING)
def test_required_parameters_of_the_target_are_checked(
    hooks: Hooks, form: dict[str, str], code: int
) -> None:
    error = hooks.api.post(hooks.hooks, form).refuses(400, code)
    if not form:
        assert error["message"] == "Missing required parameter Target in the post body"
    assert hooks.listed() == []


@pytest.mark.parametrize(("target", "form", "code"), WRONG)
def test_a_wrong_value_is_refused(
    hooks: Hooks, target: str, form: dict[str, Any], code: int
) -> None:
    hook = hooks.attach(FORMS[target])
    events_before = hooks.events()
    hooks.api.post(hooks.hooks, {**FORMS[target], **form}).refuses(400, code)
    hooks.turn(hook, form).refuses(400, code)
    assert hooks.listed() == [hook]
    assert hooks.events() == events_before


@pytest.mark.parametrize("target", ["flex", "web hook", "0"])
def test_an_unknown_target_is_refused(hooks: Hooks, target: str) -> None:
    form = {**FORMS["webhook"], "Target": target}
    hooks.api.post(hooks.hooks, form).refuses(400, 50364)


def test_values_of_the_maximum_length_are_accepted(hooks: Hooks) -> None:
    url = "https://example.com/" + "x" * 492
    words = ["ü" * 248, "a", "b", "c", "d"]
    hook = hooks.attach({"Target": "trigger", URL: url, TRIGGERS: words})
    assert len(url) == 512
    assert (hook["configuration"]["url"], hook["configuration"]["triggers"]) == (url, words)


def test_a_conversation_has_five_webhooks_at_most(hooks: Hooks) -> None:
    made = [hooks.attach(FORMS["studio"]) for _ in range(5)]
    hooks.api.post(hooks.hooks, FORMS["studio"]).refuses(400, 50361)
    assert hooks.listed() == made
    hooks.api.delete(f"{hooks.hooks}/{made[0]['sid']}").expect(204)
    last = hooks.attach(FORMS["webhook"])
    assert hooks.listed() == [*made[1:], last]


def test_pages_have_five_webhooks_at_most(hooks: Hooks) -> None:
    made = [hooks.attach(FORMS["studio"]) for _ in range(3)]
    for size in ({}, {"PageSize": 1000}):
        meta = hooks.api.get(hooks.hooks, size).expect(200)["meta"]
        assert (meta["page_size"], meta["key"]) == (5, "webhooks")
    page = hooks.api.get(hooks.hooks, PageSize=2).expect(200)
    rest = hooks.api.get(page["meta"]["next_page_url"]).expect(200)
    assert page["webhooks"] + rest["webhooks"] == made


@pytest.mark.parametrize(
    ("target", "form", "expected"),
    [
        ("webhook", {URL: "http://127.0.0.1/x"}, {"url": "http://127.0.0.1/x"}),
        ("webhook", {FILTERS: ["onDeliveryUpdated"]}, {"filters": ["onDeliveryUpdated"]}),
        ("webhook", {TRIGGERS: ["ignored"]}, {}),
        ("trigger", {TRIGGERS: ["new"]}, {"triggers": ["new"], "filters": ["new"]}),
        ("trigger", {FILTERS: ["onMessageAdded"]}, {}),
        ("studio", {FLOW: "FW" + "B" * 32}, {"flow_sid": "FW" + "b" * 32}),
        ("studio", {FILTERS: ["onMessageAdded"]}, {"filters": ["onMessageAdded"]}),
        ("studio", {URL: PLACE}, {}),
    ],
)
def test_an_update_changes_the_targets_parameters(
    hooks: Hooks, target: str, form: dict[str, Any], expected: dict[str, Any]
) -> None:
    hook = hooks.attach(FORMS[target])
    changed = hooks.turn(hook, form).expect(200)
    assert changed["configuration"] == {**SHOWN[target], **expected}
    assert (changed["target"], changed["date_created"]) == (target, hook["date_created"])
    assert hooks.look(hook) == changed


@pytest.mark.parametrize(
    ("target", "form", "code"),
    [
        ("webhook", {URL: ""}, 50369),
        ("webhook", {FILTERS: ""}, 50370),
        ("trigger", {URL: ""}, 50369),
        ("trigger", {TRIGGERS: ""}, 50371),
    ],
)
def test_required_parameters_of_the_target_cannot_be_removed(
    hooks: Hooks, target: str, form: dict[str, str], code: int
) -> None:
    hook = hooks.attach(FORMS[target])
    hooks.turn(hook, form).refuses(400, code)
    assert hooks.look(hook) == hook


@pytest.mark.parametrize("form", [{}, {"Target": "studio"}])
def test_an_empty_update_is_rejected(hooks: Hooks, form: dict[str, str]) -> None:
    hook = hooks.attach(FORMS["webhook"])
    hooks.turn(hook, form).refuses(400, 20161)
    assert hooks.look(hook) == hook


@pytest.mark.promise("50360", 20404)
def test_a_webhook_is_found_in_its_conversation_only(hooks: Hooks, foreign_api: Api) -> None:
    hook = hooks.attach(FORMS["webhook"])
    other = Hooks.make(hooks.server, hooks.api)
    path = f"{hooks.hooks}/{hook['sid']}"
    for wrong in (
        f"{hooks.hooks}/WH{'0' * 32}",
        f"{hooks.hooks}/x",
        f"/Conversations/{other.sid}/Webhooks/{hook['sid']}",
        f"/Conversations/nope/Webhooks/{hook['sid']}",
    ):
        hooks.api.get(wrong).refuses(404, 20404)
        hooks.api.post(wrong, FORMS["webhook"]).refuses(404, 20404)
        hooks.api.delete(wrong).refuses(404, 20404)
    foreign_api.get(path).refuses(404, 20404)
    foreign_api.get(hooks.hooks).refuses(404, 20404)
    assert hooks.look(hook) == hook
    assert hooks.api.delete(path).expect(204) is None
    hooks.api.delete(path).refuses(404, 20404)
    assert hooks.listed() == []


def test_a_closed_conversation_accepts_webhooks(hooks: Hooks) -> None:
    hooks.api.post(f"/Conversations/{hooks.sid}", State="closed").expect(200)
    hook = hooks.attach(FORMS["webhook"])
    hooks.turn(hook, {METHOD: "get"}).expect(200)
    hooks.api.delete(f"{hooks.hooks}/{hook['sid']}").expect(204)


def test_changes_are_published_but_never_to_webhooks(hooks: Hooks) -> None:
    headers = {"X-Twilio-Webhook-Enabled": "true"}
    hooks.post(Body="before")
    hook = hooks.api.post(hooks.hooks, FORMS["webhook"], headers=headers).expect(201)
    path = f"{hooks.hooks}/{hook['sid']}"
    hooks.api.post(path, {METHOD: "get"}, headers=headers).expect(200)
    hooks.api.delete(path, headers=headers).expect(204)
    assert hooks.events()[2:] == [
        ("scopedWebhookAdded", False),
        ("scopedWebhookChanged", False),
        ("scopedWebhookChanged", False),
    ]
    sql = "SELECT payload FROM event WHERE subject_sid = ? ORDER BY sequence"
    payloads = [json.loads(payload) for (payload,) in rows(hooks.server, sql, hook["sid"])]
    assert payloads[0]["next_message_index"] == 1
    assert [each.get("is_removed") for each in payloads] == [None, False, True]


def test_the_event_of_a_deleted_conversation_lists_its_webhooks(hooks: Hooks) -> None:
    made = [hooks.attach(FORMS[target])["sid"] for target in FORMS]
    hooks.api.delete(f"/Conversations/{hooks.sid}").expect(204)
    sql = "SELECT payload FROM event WHERE subject_sid = ? AND name = 'onConversationRemoved'"
    ((payload,),) = rows(hooks.server, sql, hooks.sid)
    payloads = json.loads(payload)["scoped_webhooks"]
    assert [each["sid"] for each in payloads] == made
    assert payloads[0]["url"] == PLACE
    left = "SELECT COUNT(*) FROM scoped_webhook WHERE conversation_sid = ?"
    assert rows(hooks.server, left, hooks.sid) == [(0,)]
