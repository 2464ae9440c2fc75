"""Update participant: identity, proxy address and projected address, for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.participant_setup import (
    ADDRESS,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
)
from tests.support.client import Api
from tests.support.phone_numbers import PROXY, phone_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

OTHER_PROXY = "+15017122662"
# The effect of attaching or detaching an address on the role is unspecified.
ROLE = {"role_sid"}


@pytest.fixture
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


@pytest.fixture(params=["short", "service"])
def restricted(request: pytest.FixtureRequest, server: Server) -> Iterator[ConversationClient]:
    """A conversation of an account that may only send from two numbers."""
    sid, token = server.make_account()
    api = Api(server.base_url, sid, token)
    if request.param == "service":
        api = api.service(api.post("/Services", FriendlyName="x").expect(201)["sid"])
    server.set_numbers(sid, PROXY, OTHER_PROXY)
    yield ConversationClient.make(server, api)
    api.close()


def bound(member: dict[str, Any], **changes: str) -> dict[str, Any]:
    """Return a participant's binding with some members changed."""
    return {"messaging_binding": {**member["messaging_binding"], **changes}}


# --- MessagingBinding.ProxyAddress


def test_the_proxy_address_can_be_changed_and_back(conversation: ConversationClient) -> None:
    member = conversation.phone()
    for proxy in (OTHER_PROXY, PROXY, PROXY):
        conversation.accepts(member, {PROXY_ADDRESS: proxy}, bound(member, proxy_address=proxy))


def test_the_proxy_address_of_another_channel_can_be_changed(
    conversation: ConversationClient,
) -> None:
    member = conversation.whatsapp()
    proxy = f"whatsapp:{OTHER_PROXY}"
    after = conversation.accepts(member, {PROXY_ADDRESS: proxy}, bound(member, proxy_address=proxy))
    assert after["messaging_binding"]["type"] == "whatsapp"


def test_a_native_participant_gets_a_proxy_address(conversation: ConversationClient) -> None:
    member = conversation.native()
    assert member["messaging_binding"] == {
        "type": "sms",
        "address": member["messaging_binding"]["address"],
    }
    form, expected = {PROXY_ADDRESS: PROXY}, bound(member, proxy_address=PROXY)
    after = conversation.accepts(member, form, expected, but=ROLE)
    assert list(after["messaging_binding"]) == ["type", "address", "proxy_address"]


@pytest.mark.channel("12.1")
def test_the_word_null_removes_the_proxy_address(conversation: ConversationClient) -> None:
    member = conversation.phone()
    address = member["messaging_binding"]["address"]
    expected = {"messaging_binding": {"type": "sms", "address": address}}
    conversation.accepts(member, {PROXY_ADDRESS: "null"}, expected, but=ROLE)
    conversation.refuses(member, {PROXY_ADDRESS: "null"}, 50440)


@pytest.mark.channel("12.1")
@pytest.mark.parametrize("kind", ["chat", "bare", "projected", "native", "whatsapp"])
def test_a_proxy_address_that_is_not_there_or_must_stay_cannot_be_removed(
    conversation: ConversationClient, kind: str
) -> None:
    conversation.refuses(conversation.of_kind(kind), {PROXY_ADDRESS: "null"}, 50440)


@pytest.mark.channel("12.1")
@pytest.mark.parametrize("kind", ["chat", "bare", "projected"])
def test_a_proxy_address_needs_an_address(conversation: ConversationClient, kind: str) -> None:
    conversation.refuses(conversation.of_kind(kind), {PROXY_ADDRESS: PROXY}, 50441)


@pytest.mark.parametrize(
    "text",
    ["x", "12 34", "+", "+0123", "15017122661x", "+1501712266112345", "NULL", "Null", " null"],
)
def test_a_proxy_address_of_bad_syntax_is_refused(
    conversation: ConversationClient, text: str
) -> None:
    conversation.refuses(conversation.phone(), {PROXY_ADDRESS: text}, 50408)


def test_a_proxy_address_that_is_too_long_is_refused(conversation: ConversationClient) -> None:
    conversation.refuses(conversation.phone(), {PROXY_ADDRESS: "messenger:" + "1" * 247}, 50408)


def test_the_proxy_address_cannot_be_the_own_address(conversation: ConversationClient) -> None:
    member = conversation.phone()
    conversation.refuses(member, {PROXY_ADDRESS: member["messaging_binding"]["address"]}, 50409)


def test_a_proxy_address_is_of_the_channel_of_the_address(conversation: ConversationClient) -> None:
    conversation.refuses(conversation.phone(), {PROXY_ADDRESS: f"whatsapp:{PROXY}"}, 50414)
    conversation.refuses(conversation.phone(), {PROXY_ADDRESS: "messenger:123"}, 50414)
    conversation.refuses(conversation.whatsapp(), {PROXY_ADDRESS: PROXY}, 50414)


def test_a_pair_in_use_elsewhere_is_a_conflict(
    server: Server, conversation: ConversationClient
) -> None:
    holder = ConversationClient.make(server, conversation.api)
    held = holder.phone()["messaging_binding"]
    member = conversation.add({ADDRESS: held["address"], PROXY_ADDRESS: OTHER_PROXY})
    error = conversation.refuses(member, {PROXY_ADDRESS: held["proxy_address"]}, 50416, 409)
    assert error["message"].endswith(f"already exists in Conversation {holder.sid}")


@pytest.mark.channel("C8")
def test_a_pair_in_use_in_the_same_conversation_is_a_conflict(
    conversation: ConversationClient,
) -> None:
    held = conversation.phone()["messaging_binding"]
    member = conversation.add({ADDRESS: held["address"], PROXY_ADDRESS: OTHER_PROXY})
    conversation.refuses(member, {PROXY_ADDRESS: held["proxy_address"]}, 50416, 409)


@pytest.mark.channel("C8")
def test_a_pair_in_use_in_the_same_group_is_a_conflict(conversation: ConversationClient) -> None:
    conversation.bare()
    held = conversation.phone()["messaging_binding"]
    member = conversation.add({ADDRESS: held["address"], PROXY_ADDRESS: OTHER_PROXY})
    conversation.refuses(member, {PROXY_ADDRESS: held["proxy_address"]}, 50437, 409)


def test_a_group_of_the_same_numbers_is_a_conflict(
    server: Server, conversation: ConversationClient
) -> None:
    group = ConversationClient.make(server, conversation.api)
    projected = group.bare()["messaging_binding"]["projected_address"]
    number = phone_number()
    group.add({ADDRESS: number})
    conversation.add({PROJECTED_ADDRESS: projected})
    member = conversation.add({ADDRESS: number, PROXY_ADDRESS: PROXY})
    error = conversation.refuses(member, {PROXY_ADDRESS: "null"}, 50438, 409)
    assert error["message"].endswith(f"already exists as Conversation {group.sid}")


def test_an_email_participant_has_no_proxy_address(conversation: ConversationClient) -> None:
    member = conversation.add({ADDRESS: f"{conversation.sid.lower()}@example.com"})
    conversation.refuses(member, {PROXY_ADDRESS: "desk@example.com"}, 50453)
    conversation.refuses(member, {PROXY_ADDRESS: PROXY}, 50453)
    conversation.refuses(member, {PROXY_ADDRESS: "null"}, 50440)


def test_a_pair_that_was_changed_or_removed_is_free(
    server: Server, conversation: ConversationClient
) -> None:
    member, other = conversation.phone(), ConversationClient.make(server, conversation.api)
    pair = {ADDRESS: member["messaging_binding"]["address"], PROXY_ADDRESS: PROXY}
    other.api.post(other.path, pair).refuses(409, 50416)
    conversation.update(member, {PROXY_ADDRESS: OTHER_PROXY}).expect(200)
    taken = other.add(pair)
    conversation.refuses(member, {PROXY_ADDRESS: PROXY}, 50416, 409)
    other.update(taken, {PROXY_ADDRESS: "null"}).expect(200)
    conversation.accepts(member, {PROXY_ADDRESS: PROXY}, bound(member, proxy_address=PROXY))


@pytest.mark.channel("1")
def test_a_pair_of_a_closed_conversation_is_free(
    server: Server, conversation: ConversationClient
) -> None:
    holder = ConversationClient.make(server, conversation.api)
    held = holder.phone()["messaging_binding"]
    member = conversation.add({ADDRESS: held["address"], PROXY_ADDRESS: OTHER_PROXY})
    conversation.refuses(member, {PROXY_ADDRESS: PROXY}, 50416, 409)
    conversation.api.post(f"/Conversations/{holder.sid}", State="closed").expect(200)
    conversation.accepts(member, {PROXY_ADDRESS: PROXY}, bound(member, proxy_address=PROXY))


def test_only_numbers_of_the_account_serve_as_proxy_if_it_has_a_list(
    restricted: ConversationClient,
) -> None:
    member = restricted.phone()
    expected = bound(member, proxy_address=OTHER_PROXY)
    restricted.accepts(member, {PROXY_ADDRESS: OTHER_PROXY}, expected)
    restricted.refuses(member, {PROXY_ADDRESS: "+15017122663"}, 50413)


def test_only_a_whatsapp_sender_serves_as_whatsapp_proxy(
    server: Server, restricted: ConversationClient
) -> None:
    account_sid = restricted.resource["account_sid"]
    server.set_numbers(account_sid, PROXY, f"whatsapp:{PROXY}")
    member = restricted.whatsapp()
    restricted.refuses(member, {PROXY_ADDRESS: f"whatsapp:{OTHER_PROXY}"}, 50415)
    server.set_numbers(account_sid, PROXY, f"whatsapp:{PROXY}", f"whatsapp:{OTHER_PROXY}")
    proxy = f"whatsapp:{OTHER_PROXY}"
    restricted.accepts(member, {PROXY_ADDRESS: proxy}, bound(member, proxy_address=proxy))


# --- MessagingBinding.ProjectedAddress


@pytest.mark.parametrize("kind", ["chat", "projected", "bare"])
def test_a_projected_address_is_set_and_changed(
    conversation: ConversationClient, kind: str
) -> None:
    member = conversation.of_kind(kind)
    for number in (phone_number(), phone_number()):
        expected = {"messaging_binding": {"type": "sms", "projected_address": number}}
        conversation.accepts(member, {PROJECTED_ADDRESS: number}, expected)


@pytest.mark.channel("12.2")
@pytest.mark.parametrize("kind", ["phone", "whatsapp", "native"])
def test_a_participant_with_an_address_gets_no_projected_address(
    conversation: ConversationClient, kind: str
) -> None:
    conversation.refuses(conversation.of_kind(kind), {PROJECTED_ADDRESS: phone_number()}, 50443)


@pytest.mark.channel("12.2")
def test_the_word_null_removes_the_projected_address_of_an_identity(
    conversation: ConversationClient,
) -> None:
    member = conversation.projected()
    conversation.accepts(member, {PROJECTED_ADDRESS: "null"}, {"messaging_binding": None})
    conversation.refuses(member, {PROJECTED_ADDRESS: "null"}, 50442)


@pytest.mark.channel("12.2")
@pytest.mark.parametrize("kind", ["chat", "phone", "whatsapp", "native", "bare"])
def test_a_projected_address_that_must_stay_or_is_not_there_cannot_be_removed(
    conversation: ConversationClient, kind: str
) -> None:
    conversation.refuses(conversation.of_kind(kind), {PROJECTED_ADDRESS: "null"}, 50442)


@pytest.mark.channel("12.2")
def test_only_numbers_of_the_account_are_projected_if_it_has_a_list(
    restricted: ConversationClient,
) -> None:
    member = restricted.chat()
    expected = {"messaging_binding": {"type": "sms", "projected_address": PROXY}}
    restricted.accepts(member, {PROJECTED_ADDRESS: PROXY}, expected)
    restricted.refuses(member, {PROJECTED_ADDRESS: "+15017122663"}, 50439)


# --- Identity


@pytest.mark.channel("12.3")
@pytest.mark.parametrize("identity", ["bob", "bob@example.com", "Bob B.", "x" * 256, "ü☎️"])
def test_a_bare_projected_address_gets_an_identity_and_its_user(
    conversation: ConversationClient, identity: str
) -> None:
    member = conversation.bare()
    assert (member["identity"], member["role_sid"]) == (None, None)
    conversation.accepts(member, {"Identity": identity}, {"identity": identity}, but=ROLE)
    assert conversation.api.get(f"/Users/{identity}").expect(200)["identity"] == identity
    assert (
        conversation.api.get(f"{conversation.path}/{identity}").expect(200)["sid"] == member["sid"]
    )


@pytest.mark.channel("C9", "12.3")
def test_the_word_null_takes_the_identity_off_again(conversation: ConversationClient) -> None:
    member = conversation.bare()
    conversation.update(member, {"Identity": "bob"}).expect(200)
    conversation.accepts(member, {"Identity": "null"}, {"identity": None}, but=ROLE)
    conversation.accepts(member, {"Identity": "carol"}, {"identity": "carol"}, but=ROLE)


@pytest.mark.channel("12.3")
@pytest.mark.parametrize("kind", ["chat", "phone", "whatsapp", "native", "projected"])
@pytest.mark.parametrize("identity", ["bob", "alice"])
def test_only_chat_users_get_an_identity(
    conversation: ConversationClient, kind: str, identity: str
) -> None:
    conversation.refuses(conversation.of_kind(kind), {"Identity": identity}, 50444)


@pytest.mark.channel("C9", "12.3")
@pytest.mark.parametrize("kind", ["chat", "phone"])
def test_only_a_projected_address_lets_its_identity_go(
    conversation: ConversationClient, kind: str
) -> None:
    conversation.refuses(conversation.of_kind(kind), {"Identity": "null"}, 50444)


def test_an_identity_of_the_conversation_is_a_conflict(conversation: ConversationClient) -> None:
    conversation.projected("alice")
    conversation.refuses(conversation.bare(), {"Identity": "alice"}, 50433, 409)


def test_an_identity_that_is_too_long_is_refused(conversation: ConversationClient) -> None:
    conversation.refuses(conversation.bare(), {"Identity": "x" * 257}, 50207)
