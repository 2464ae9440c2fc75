"""Groups: built in any order, posted to, and unique by their set of numbers."""

from __future__ import annotations

import json
import random
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.resources.participants.store import Participant
from tests.resources.message_setup import execute
from tests.resources.participant_setup import (
    ADDRESS,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
)
from tests.resources.unique_names import at_once, unique
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server

TOGETHER = 12

Form = dict[str, str]


@pytest.fixture
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


def member(number: str | None = None) -> Form:
    return {ADDRESS: number or phone_number()}


def own(number: str | None = None, **more: str) -> Form:
    return {PROJECTED_ADDRESS: number or phone_number(), **more}


def pair(proxy: str = PROXY) -> Form:
    return {ADDRESS: phone_number(), PROXY_ADDRESS: proxy}


def add(conversation: ConversationClient, form: Form) -> ApiResponse:
    return conversation.api.post(conversation.path, form)


def send_message(conversation: ConversationClient, **form: str) -> ApiResponse:
    return conversation.api.post(f"/Conversations/{conversation.sid}/Messages", form)


def refuses(
    conversation: ConversationClient, form: Form, code: int, status: int = 400
) -> dict[str, Any]:
    """Check that a participant is rejected, and changes neither the list nor the event log."""
    before, events_before = (
        conversation.api.get(conversation.path, PageSize=100).body,
        conversation.events(),
    )
    error: dict[str, Any] = add(conversation, form).refuses(status, code)
    assert conversation.api.get(conversation.path, PageSize=100).body == before
    assert conversation.events() == events_before
    return error


def as_json(form: Form) -> str:
    """Return a participant as one of ConversationWithParticipants."""
    names = {
        ADDRESS: "address",
        PROXY_ADDRESS: "proxy_address",
        PROJECTED_ADDRESS: "projected_address",
    }
    binding = {names[name]: text for name, text in form.items() if name in names}
    identity = {"identity": form["Identity"]} if "Identity" in form else {}
    return json.dumps({"messaging_binding": binding or None, **identity})


def bulk(api: Api, *forms: Form) -> ApiResponse:
    texts = [as_json(form) for form in forms]
    return api.post("/ConversationWithParticipants", {"Participant": texts})


# --- Who may come when


@pytest.mark.channel("11.6")
def test_members_may_come_before_the_own_number(
    server: Server, conversation: ConversationClient
) -> None:
    ours, members = own(), [member(), member()]
    for each in members:
        shown = add(conversation, each).expect(201)
        assert shown["messaging_binding"] == {"type": "sms", "address": each[ADDRESS]}
        assert (shown["identity"], shown["role_sid"]) == (None, None)
    add(conversation, ours).expect(201)
    message = send_message(conversation, Author=ours[PROJECTED_ADDRESS], Body="hello").expect(201)
    assert message["delivery"]["total"] == 2
    second = ConversationClient.make(server, conversation.api)
    for each in members:
        add(second, each).expect(201)
    error = refuses(second, ours, 50438, 409)
    assert error["message"] == (
        f"Group MMS with given participant list already exists as Conversation {conversation.sid}"
    )


@pytest.mark.promise("reference/quirks.md", "It is refused with 50412")
@pytest.mark.parametrize(
    "before",
    [
        [{"Identity": "alice"}],
        [{"Identity": "alice"}, "own"],
        ["pair"],
        ["whatsapp"],
        ["mail", "pair"],
    ],
    ids=str,
)
def test_no_member_joins_plain_chat_or_one_to_one_pairs(
    conversation: ConversationClient, before: list[Any]
) -> None:
    for each in before:
        add(conversation, each if isinstance(each, dict) else form_of(each)).expect(201)
    refuses(conversation, member(), 50412)


@pytest.mark.parametrize("before", [["own", "pair"], ["pair", "own"], ["mail"], []], ids=str)
def test_a_member_joins_a_group_or_a_potential_group(
    conversation: ConversationClient, before: list[str]
) -> None:
    for each in before:
        add(conversation, form_of(each)).expect(201)
    add(conversation, member()).expect(201)


def form_of(kind: str) -> Form:
    number = phone_number()
    return {
        "own": own(number),
        "pair": {ADDRESS: number, PROXY_ADDRESS: PROXY},
        "whatsapp": {ADDRESS: f"whatsapp:{number}", PROXY_ADDRESS: f"whatsapp:{PROXY}"},
        "mail": {ADDRESS: f"{unique('erin')}@example.com"},
    }[kind]


@pytest.mark.channel("C8", "C12")
def test_a_pair_may_follow_members_and_is_a_masked_member(conversation: ConversationClient) -> None:
    add(conversation, member()).expect(201)
    add(conversation, member()).expect(201)
    masked = pair(phone_number())
    add(conversation, masked).expect(201)
    message = send_message(conversation, Author=masked[ADDRESS], Body="x").expect(201)
    assert message["delivery"]["total"] == 2
    refuses(conversation, masked, 50437, 409)


def test_a_plain_chat_identity_does_not_join_members(conversation: ConversationClient) -> None:
    add(conversation, member()).expect(201)
    refuses(conversation, {"Identity": unique("plain")}, 50434)
    add(conversation, own(Identity=unique("projected"))).expect(201)


def test_the_number_of_ours_may_come_after_members_that_were_made_together(api: Api) -> None:
    forms, ours = [member(), member()], own()
    begun = bulk(api, *forms, ours).expect(202)
    path = f"/Conversations/{bulk(api, *forms).expect(202)['sid']}"
    eventually(lambda: api.get(path).expect(200), lambda shown: shown["state"] == "active")
    error = api.post(f"{path}/Participants", ours).refuses(409, 50438)
    assert error["message"].endswith(f"Conversation {begun['sid']}")
    api.post(f"{path}/Participants", own()).expect(201)


@pytest.mark.parametrize("first", [True, False])
def test_members_are_not_made_together_with_plain_chat(api: Api, first: bool) -> None:
    forms = [member(), member()]
    forms.insert(0 if first else 2, {"Identity": unique("plain")})
    bulk(api, *forms).refuses(400, 50412)


def test_the_first_member_has_a_long_code_of_north_america(
    conversation: ConversationClient,
) -> None:
    for number in ("+4915112345678", "+18005550100", "+12425550100"):
        refuses(conversation, member(number), 50407)


def test_the_same_member_comes_once_before_the_own_number_too(
    conversation: ConversationClient,
) -> None:
    twice = member()
    add(conversation, twice).expect(201)
    refuses(conversation, twice, 50437, 409)
    refuses(conversation, {**twice, PROXY_ADDRESS: PROXY}, 50437, 409)


@pytest.mark.channel("11.4")
@pytest.mark.parametrize("last", ["member", "own"])
def test_ten_members_are_all_of_a_group(conversation: ConversationClient, last: str) -> None:
    for _ in range(10):
        add(conversation, member()).expect(201)
    refuses(conversation, member() if last == "member" else own(), 50436)


def test_a_group_member_with_a_proxy_number_is_rejected_in_either_order(
    conversation: ConversationClient,
) -> None:
    number = phone_number()
    add(conversation, member(number)).expect(201)
    refuses(conversation, own(number), 50407)
    refuses(conversation, pair(number), 50407)
    bare = add(conversation, own()).expect(201)
    conversation.refuses(bare, own(number), 50407)
    masked = add(conversation, pair(phone_number())).expect(201)
    conversation.refuses(masked, {PROXY_ADDRESS: number}, 50407)


def test_an_update_that_makes_a_member_or_a_group_keeps_the_rules(
    conversation: ConversationClient,
) -> None:
    foreign = add(
        conversation, {ADDRESS: f"+49151{phone_number()[-8:]}", PROXY_ADDRESS: PROXY}
    ).expect(201)
    conversation.refuses(foreign, {PROXY_ADDRESS: "null"}, 50407)
    number = phone_number()
    first, second = ({ADDRESS: number, PROXY_ADDRESS: proxy} for proxy in (PROXY, phone_number()))
    add(conversation, first).expect(201)
    twice = add(conversation, second).expect(201)
    conversation.refuses(twice, {PROXY_ADDRESS: "null"}, 50437, 409)


def test_a_conversation_of_more_than_ten_becomes_no_group(conversation: ConversationClient) -> None:
    for number in range(10):
        conversation.chat(f"user {number}")
    conversation.refuses(conversation.chat(), own(), 50436)
    refuses(conversation, own(), 50436)


# --- Who may write


@pytest.mark.channel("11.5")
@pytest.mark.promise("reference/quirks.md", "any other author is refused with 50513")
@pytest.mark.parametrize("members", [1, 2])
def test_only_members_write_without_a_proxy_number(
    conversation: ConversationClient, members: int
) -> None:
    numbers = [phone_number() for _ in range(members)]
    for number in numbers:
        add(conversation, member(number)).expect(201)
    events_before = conversation.events()
    for form in ({"Author": phone_number()}, {"Author": unique("nobody")}, {}):
        send_message(conversation, Body="x", **form).refuses(400, 50513)
    assert conversation.events() == events_before
    message = send_message(conversation, Author=numbers[0], Body="x").expect(201)
    assert (message["delivery"] or {"total": 0})["total"] == members - 1


def test_one_member_and_one_proxy_number_are_no_group_yet(conversation: ConversationClient) -> None:
    add(conversation, member()).expect(201)
    add(conversation, own()).expect(201)
    message = send_message(conversation, Author=unique("anybody"), Body="x").expect(201)
    assert message["delivery"]["total"] == 1


# --- One open group for one set of numbers

kinds = st.lists(st.sampled_from(["bare", "identity"]), min_size=1, max_size=2)


@pytest.mark.channel("C13")
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=st.integers(1, 3), owns=kinds, seed=st.integers(0, 2**32))
@pytest.mark.slow
def test_any_order_of_building_has_the_same_result(
    server: Server, api: Api, members: int, owns: list[str], seed: int
) -> None:
    order = random.Random(seed)
    forms = [member() for _ in range(members)]
    forms += [own(**({"Identity": unique("in")} if kind == "identity" else {})) for kind in owns]

    def shuffled() -> list[Form]:
        return order.sample(forms, len(forms))

    first = ConversationClient.make(server, api)
    for form in shuffled():
        add(first, form).expect(201)
    second = ConversationClient.make(server, api)
    *steps, last = shuffled()
    for form in steps:
        add(second, form).expect(201)
    error = refuses(second, last, 50438, 409)
    assert error["message"].endswith(f"Conversation {first.sid}")
    error = bulk(api, *shuffled()).refuses(409, 50438)
    assert error["message"].endswith(f"Conversation {first.sid}")
    api.post(f"/Conversations/{first.sid}", State="closed").expect(200)
    add(second, last).expect(201)


@pytest.mark.channel("11.6")
def test_an_update_that_completes_the_set_is_refused(
    server: Server, conversation: ConversationClient
) -> None:
    forms = [member(), member(), own()]
    for form in forms:
        add(conversation, form).expect(201)
    second = ConversationClient.make(server, conversation.api)
    for form in forms[:2]:
        add(second, form).expect(201)
    bare = add(second, own()).expect(201)
    error = second.refuses(bare, forms[2], 50438, 409)
    assert error["message"].endswith(f"Conversation {conversation.sid}")
    # The same set again by an update that leaves the set unchanged.
    conversation.update(
        conversation.api.get(conversation.path).json["participants"][2], forms[2]
    ).expect(200)


def test_one_of_concurrent_completions_of_the_same_set_succeeds(server: Server, api: Api) -> None:
    members, ours = [member() for _ in range(5)], own()
    conversations = [ConversationClient.make(server, api) for _ in range(TOGETHER)]
    # Each member is the last one once, so that no two are equal before: else it is the number.
    lasts = [*members, *[ours] * (TOGETHER - len(members))]
    for conversation, last in zip(conversations, lasts, strict=True):
        for form in [*members, ours]:
            if form is not last:
                add(conversation, form).expect(201)
    answers = at_once(TOGETHER, lambda number: add(conversations[number], lasts[number]))
    assert sorted(answer.status for answer in answers) == [201] + [409] * (TOGETHER - 1)
    (won,) = (answer.json["conversation_sid"] for answer in answers if answer.status == 201)
    for answer in answers:
        if answer.status == 409:
            assert answer.refuses(409, 50438)["message"].endswith(f"Conversation {won}")


def test_one_of_concurrent_creates_with_the_same_set_succeeds(api: Api) -> None:
    forms = [member(), member(), own()]
    answers = at_once(
        TOGETHER, lambda number: bulk(api, *forms[number % 3 :], *forms[: number % 3])
    )
    assert sorted(answer.status for answer in answers) == [202] + [409] * (TOGETHER - 1)
    (won,) = (answer.json["sid"] for answer in answers if answer.status == 202)
    for answer in answers:
        if answer.status == 409:
            assert answer.refuses(409, 50438)["message"].endswith(f"Conversation {won}")
    path = f"/Conversations/{won}"
    eventually(lambda: api.get(path).expect(200), lambda shown: shown["state"] == "active")


def test_a_removal_is_never_refused_and_may_leave_two_equal_sets(
    server: Server, conversation: ConversationClient
) -> None:
    forms = [member(), member(), own()]
    for form in forms:
        add(conversation, form).expect(201)
    second = ConversationClient.make(server, conversation.api)
    extra = add(second, member()).expect(201)
    for form in forms:
        bare = add(second, form).expect(201)
    second.api.delete(f"{second.path}/{extra['sid']}").expect(204)
    # An update that leaves the set unchanged is accepted, and another set is free.
    second.update(bare, {"Identity": unique("agent")}).expect(200)
    add(second, member()).expect(201)
    third = ConversationClient.make(server, conversation.api)
    for form in forms[:2]:
        add(third, form).expect(201)
    refuses(third, forms[2], 50438, 409)


def whatsapp_pair(proxy: str) -> Form:
    return {ADDRESS: f"whatsapp:{phone_number()}", PROXY_ADDRESS: f"whatsapp:{proxy}"}


@pytest.mark.channel("C13")
def test_a_sender_of_whatsapp_is_no_number_of_a_set(
    server: Server, conversation: ConversationClient
) -> None:
    """No phone sees it in the thread, and one sender serves many conversations."""
    forms, sender = [member(), member(), own()], phone_number()
    conversations = [
        conversation,
        *(ConversationClient.make(server, conversation.api) for _ in range(2)),
    ]
    for each in conversations:
        for form in (*forms[:2], whatsapp_pair(sender)):
            add(each, form).expect(201)
        send_message(each, Author="system", Body="x").refuses(400, 50513)
    add(conversations[0], forms[2]).expect(201)
    error = refuses(conversations[1], forms[2], 50438, 409)
    assert error["message"].endswith(f"Conversation {conversation.sid}")
    bulk(conversation.api, *forms, whatsapp_pair(phone_number())).refuses(409, 50438)
    bulk(conversation.api, member(), {"Identity": unique("x")}, whatsapp_pair(sender)).refuses(
        400, 50412
    )
    refuses(conversations[2], {**forms[2], "Identity": unique("in")}, 50438, 409)


def test_a_set_is_found_among_thousands_of_groups_of_one_member(server: Server, api: Api) -> None:
    """One agent and one proxy number may be in a group with each of thousands of customers."""
    forms = [member(), member(), own()]
    first, second = ConversationClient.make(server, api), ConversationClient.make(server, api)
    made = [add(first, form).expect(201)["sid"] for form in forms]
    names = Participant.__struct_fields__
    changed = {"conversation_sid": "?", "sid": "?"}
    shown = ", ".join(changed.get(name, name) for name in names)
    copy = f"INSERT INTO participant ({', '.join(names)}) SELECT {shown}"
    with closing(connect(server)) as connection, connection:
        connection.executemany(
            f"{copy} FROM participant WHERE sid = ?",
            [
                (f"CH{number:032x}", f"MB{secrets.token_hex(16)}", sid)
                for number in range(1001)
                for sid in (made[0], made[2])
            ],
        )
    for form in forms[:2]:
        add(second, form).expect(201)
    error = add(second, forms[2]).refuses(409, 50438)
    assert error["message"].endswith(f"Conversation {first.sid}")
    execute(server, "DELETE FROM participant WHERE conversation_sid < ?", f"CH{1001:032x}")


def test_the_sets_of_a_removed_service_are_free(server: Server, api: Api) -> None:
    service_sid = api.post("/Services", FriendlyName="short-lived").expect(201)["sid"]
    forms = [member(), member(), own()]
    there, here = (
        ConversationClient.make(server, api.service(service_sid)),
        ConversationClient.make(server, api),
    )
    for form in forms:
        add(there, form).expect(201)
    for form in forms[:2]:
        add(here, form).expect(201)
    refuses(here, forms[2], 50438, 409)
    api.delete(f"/Services/{service_sid}").expect(204)
    add(here, forms[2]).expect(201)
