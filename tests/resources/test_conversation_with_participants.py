"""Conversations created with their participants: validated at once, completed soon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.resources.batch_create_setup import (
    PATH,
    chat,
    completed,
    native,
    phone,
    projected,
    send,
)
from tests.resources.participant_setup import (
    PROJECTED_ADDRESS,
    ConversationClient,
    make_role,
)
from tests.resources.unique_names import at_once, unique
from tests.support.client import Api
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.server_database import events

if TYPE_CHECKING:
    from tests.support.server import Server

KEYS = [
    "sid", "account_sid", "chat_service_sid", "messaging_service_sid", "friendly_name",
    "unique_name", "attributes", "date_created", "date_updated", "state", "timers", "bindings",
    "links", "url",
]  # fmt: skip


# --- The response


def test_without_participants_it_is_an_ordinary_create(form_api: Api) -> None:
    name = unique("alone")
    for form in ({"UniqueName": name, "State": "inactive", "Timers.Closed": "P1D"}, {}):
        made = form_api.post(PATH, form).expect(201)
        assert list(made) == KEYS
        conversation = form_api.get(f"/Conversations/{made['sid']}").expect(200)
        assert list(conversation["links"])[:3] == list(made["links"])
        del conversation["links"]["export"]
        assert made == conversation
    assert form_api.post(PATH, Participant="").expect(201)["state"] == "active"


def test_with_participants_it_is_accepted_and_completed_soon(form_api: Api) -> None:
    identity, address = unique("carol"), phone_number()
    role_sid = make_role(form_api)
    answer = send(
        form_api,
        chat(identity, attributes=' {"seat": 1} ', role_sid=role_sid),
        phone(address) | {"date_created": "2020-01-01T00:00:00Z", "unknown": 1},
        {"identity": unique("null"), "messaging_binding": None, "attributes": None},
        FriendlyName="Together",
        **{"Timers.Inactive": "PT1H"},
    )
    started = answer.expect(202)
    assert list(started) == KEYS
    assert list(started["links"]) == ["participants", "messages", "webhooks"]
    assert (started["state"], started["timers"]) == ("initializing", {})
    assert started["friendly_name"] == "Together"
    root = f"{form_api.base_url}{form_api.prefix}/Conversations/{started['sid']}"
    assert started["url"] == root
    assert started["links"]["webhooks"] == f"{root}/Webhooks"
    conversation, (carol, by_phone, nonexistent) = completed(form_api, started)
    assert conversation["state"] == "active"
    assert list(conversation["timers"]) == ["date_inactive"]
    assert (carol["identity"], carol["attributes"]) == (identity, ' {"seat": 1} ')
    assert carol["role_sid"] == role_sid
    binding = {"type": "sms", "address": address, "proxy_address": PROXY}
    assert by_phone["messaging_binding"] == binding
    assert by_phone["date_created"] == "2020-01-01T00:00:00Z"
    assert (nonexistent["messaging_binding"], nonexistent["attributes"]) == (None, "{}")
    assert form_api.get(f"/Users/{identity}").expect(200)["identity"] == identity


def test_the_state_parameter_is_applied_on_completion(form_api: Api) -> None:
    started = send(form_api, chat(), State="inactive").expect(202)
    assert started["state"] == "initializing"
    assert completed(form_api, started)[0]["state"] == "inactive"


def test_ten_participants_are_accepted(form_api: Api) -> None:
    forms = [chat() for _ in range(10)]
    _, listed = completed(form_api, send(form_api, *forms).expect(202))
    assert [each["identity"] for each in listed] == [each["identity"] for each in forms]


@pytest.mark.parametrize(("header", "fires"), [("true", True), ("false", False)])
def test_the_events_come_in_order_and_under_the_rule_of_the_header(
    server: Server, form_api: Api, header: str, fires: bool
) -> None:
    texts = [json.dumps(chat()), json.dumps(phone())]
    started = form_api.post(
        PATH, Participant=texts, headers={"X-Twilio-Webhook-Enabled": header}
    ).expect(202)
    completed(form_api, started)
    assert events(server, started["account_sid"], started["sid"]) == [
        ("onConversationAdded", fires),
        ("onParticipantAdded", fires),
        ("onParticipantAdded", fires),
        ("onConversationStateUpdated", fires),
    ]


# --- Bad requests change nothing


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("x", 400, 50424),
        ("[]", 400, 50424),
        ('"alice"', 400, 50424),
        ('{"identity": 7}', 400, 50424),
        ('{"identity": "a", "attributes": {"a": 1}}', 400, 50424),
        ('{"identity": "a\\u0000b"}', 400, 50424),
        ('{"messaging_binding": "+15558675310"}', 400, 50424),
        ('{"messaging_binding": {"address": 15558675310}}', 400, 50424),
        ('{"identity": "' + "x" * 33_000 + '"}', 400, 50424),
        ("{}", 400, 50204),
        ('{"messaging_binding": {}}', 400, 50204),
        ('{"identity": ""}', 400, 50204),
        ('{"identity": "system"}', 400, 50203),
        ('{"identity": "' + "x" * 257 + '"}', 400, 50207),
        ('{"identity": "a", "attributes": "{"}', 400, 50304),
        ('{"identity": "a", "role_sid": "RL0"}', 400, 50109),
        ('{"identity": "a", "date_created": "now"}', 400, 50308),
        ('{"identity": "a", "messaging_binding": {"address": "+15558675310"}}', 400, 50211),
        ('{"messaging_binding": {"proxy_address": "+15017122661"}}', 400, 50411),
        ('{"messaging_binding": {"address": "+15558675310"}}', 400, 50412),
        ('{"messaging_binding": {"address": "5558675310"}}', 400, 50407),
    ],
)
def test_a_bad_participant_is_refused(
    server: Server, form_api: Api, text: str, status: int, code: int
) -> None:
    name, good = unique("bad"), json.dumps(chat())
    form = {"UniqueName": name, "Participant": [good, text]}
    form_api.post(PATH, form).refuses(status, code)
    form_api.get(f"/Conversations/{name}").refuses(404, 20404)
    assert form_api.get(f"/Users/{json.loads(good)['identity']}").status == 404


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"State": "closed"}, 400, 50384),
        ({"State": "initializing"}, 400, 50378),
        ({"Attributes": "{"}, 400, 50304),
        ({"Timers.Inactive": "PT1S"}, 400, 50375),
        ({"UniqueName": "CH" + "0" * 32}, 400, 50390),
    ],
)
def test_a_bad_conversation_is_refused(
    form_api: Api, form: dict[str, str], status: int, code: int
) -> None:
    send(form_api, chat(), **form).refuses(status, code)


def test_a_unique_name_is_taken_at_once(form_api: Api) -> None:
    name = unique("name")
    started = send(form_api, chat(), UniqueName=name).expect(202)
    send(form_api, chat(), UniqueName=name).refuses(409, 50353)
    form_api.post("/Conversations", UniqueName=name).refuses(409, 50353)
    completed(form_api, started)


def test_more_than_ten_participants_are_refused(form_api: Api) -> None:
    send(form_api, *(chat() for _ in range(11))).refuses(400, 50426)


def test_a_duplicate_participant_is_rejected(form_api: Api) -> None:
    identity, address = unique("twin"), phone_number()
    send(form_api, chat(identity), chat(identity)).refuses(409, 50433)
    send(form_api, phone(address), phone(address)).refuses(409, 50425)
    started = send(form_api, phone(address), phone(address, phone_number())).expect(202)
    assert len(completed(form_api, started)[1]) == 2


def test_a_proxy_number_cannot_be_a_participants_address(form_api: Api) -> None:
    ours, other = phone_number(), phone_number()
    send(form_api, phone(ours), phone(proxy=ours)).refuses(400, 50407)
    # The rejected request reserved no number; a participant with it does, once it exists.
    completed(form_api, send(form_api, phone(proxy=ours)).expect(202))
    send(form_api, phone(ours, other)).refuses(400, 50407)


def test_a_pair_is_reserved_from_the_response_on(server: Server, form_api: Api) -> None:
    address = phone_number()
    started = send(form_api, phone(address)).expect(202)
    send(form_api, phone(address)).refuses(409, 50425)
    conversation = ConversationClient.make(server, form_api)
    binding = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": PROXY}
    error = form_api.post(conversation.path, binding).refuses(409, 50416)
    assert error["message"].endswith(f"Conversation {started['sid']}")
    completed(form_api, started)
    send(form_api, phone(address)).refuses(409, 50425)
    form_api.post(f"/Conversations/{started['sid']}", State="closed").expect(200)
    send(form_api, phone(address)).expect(202)


def test_a_pair_of_another_conversation_is_refused(server: Server, form_api: Api) -> None:
    conversation, address, name = (
        ConversationClient.make(server, form_api),
        phone_number(),
        unique("late"),
    )
    conversation.add({"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": PROXY})
    error = send(form_api, chat(), phone(address), UniqueName=name).refuses(409, 50425)
    assert error["message"].startswith("Participant and proxy address pairs")
    form_api.get(f"/Conversations/{name}").refuses(404, 20404)


def test_one_of_many_gets_a_pair(form_api: Api) -> None:
    address = phone_number()
    answers = at_once(16, lambda _: send(form_api, phone(address)))
    assert sorted(answer.status for answer in answers) == [202] + [409] * 15
    assert {answer.code for answer in answers} == {None, 50425}
    (won,) = (answer.json for answer in answers if answer.status == 202)
    conversation, listed = completed(form_api, won)
    assert (conversation["state"], len(listed)) == ("active", 1)


# --- Groups are validated as a whole


def test_a_group_may_be_named_in_any_order(form_api: Api) -> None:
    forms = [native(), projected(unique("in")), native(), projected()]
    _, listed = completed(form_api, send(form_api, *forms).expect(202))
    assert [each["messaging_binding"] for each in listed] == [
        {"type": "sms", **each["messaging_binding"]} for each in forms
    ]


def test_a_member_behind_a_proxy_may_be_in_a_group(form_api: Api) -> None:
    started = send(form_api, phone(), native(), native()).expect(202)
    assert len(completed(form_api, started)[1]) == 3


@pytest.mark.parametrize("first", [True, False])
def test_a_group_member_needs_an_address(form_api: Api, first: bool) -> None:
    forms = [native(), projected()]
    forms.insert(0 if first else 2, chat())
    send(form_api, *forms).refuses(400, 50434)


def test_members_of_a_group_have_numbers_of_north_america(form_api: Api) -> None:
    send(form_api, projected(), native("+4915112345678")).refuses(400, 50407)


def test_a_participant_has_an_address_or_a_projected_one(form_api: Api) -> None:
    binding = {"address": phone_number(), "projected_address": phone_number()}
    for more in ({}, {"proxy_address": PROXY}):
        error = send(form_api, {"messaging_binding": binding | more}).refuses(400, 50407)
        assert error["message"] == "Invalid messaging binding address"


def test_the_same_member_is_not_in_a_group_twice(form_api: Api) -> None:
    address = phone_number()
    send(form_api, projected(), native(address), native(address)).refuses(409, 50437)


def test_a_list_of_numbers_has_one_group(form_api: Api) -> None:
    forms = [projected(), native(), native()]
    started = send(form_api, *forms).expect(202)
    completed(form_api, started)
    error = send(form_api, *reversed(forms)).refuses(409, 50438)
    assert error["message"].endswith(f"Conversation {started['sid']}")
    send(form_api, *forms, native()).expect(202)
    form_api.post(f"/Conversations/{started['sid']}", State="closed").expect(200)
    send(form_api, *forms).expect(202)


def test_smaller_sets_on_the_way_do_not_matter(server: Server, form_api: Api) -> None:
    ours, first, second = projected(), native(), native()
    smaller = ConversationClient.make(server, form_api)
    smaller.add({PROJECTED_ADDRESS: ours["messaging_binding"]["projected_address"]})
    smaller.add({"MessagingBinding.Address": first["messaging_binding"]["address"]})
    started = send(form_api, ours, first, second).expect(202)
    assert len(completed(form_api, started)[1]) == 3


# --- Settings, tenants and crashes


def test_only_a_number_of_the_account_is_a_proxy(server: Server) -> None:
    sid, token = server.make_account()
    ours = phone_number()
    server.set_numbers(sid, ours)
    api = Api(server.base_url, sid, token)
    send(api, phone()).refuses(400, 50413)
    send(api, projected(), native()).refuses(400, 50439)
    send(api, phone(proxy=ours)).expect(202)
    api.close()


def test_the_same_key_gets_the_same_response(form_api: Api) -> None:
    header = {"Idempotency-Key": unique("key")}
    form = {"Participant": [json.dumps(phone())]}
    first = form_api.post(PATH, form, headers=header)
    again = form_api.post(PATH, form, headers=header)
    assert (first.status, first.body) == (202, first.body)
    assert (again.status, again.body) == (first.status, first.body)


def test_only_creating_is_supported(form_api: Api) -> None:
    form_api.get(PATH).refuses(405, 20004)
    form_api.delete(PATH).refuses(405, 20004)
