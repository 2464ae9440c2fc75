"""Messages: valid and invalid values of each parameter, indexes, authors, states, lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.message_setup import MessageClient, rows, seed_media, seed_template
from tests.resources.participant_setup import ADDRESS, DATE, PROXY_ADDRESS
from tests.support.phone_numbers import PROXY, phone_number

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

KEYS = [
    "sid",
    "account_sid",
    "conversation_sid",
    "body",
    "media",
    "author",
    "participant_sid",
    "attributes",
    "date_created",
    "date_updated",
    "index",
    "delivery",
    "content_sid",
    "url",
    "links",
]


@pytest.fixture
def conversation(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


# --- Responses


def test_a_message_without_parameters_is_empty(conversation: MessageClient) -> None:
    message = conversation.post()
    api = conversation.api
    path = f"{api.base_url}{api.prefix}{conversation.messages}/{message['sid']}"
    keys = [*KEYS]
    if conversation.api.prefix != "/v1":
        keys.insert(2, "chat_service_sid")
        assert message["chat_service_sid"] == conversation.service_sid
    assert list(message) == keys
    assert message["account_sid"] == conversation.account_sid
    assert message["conversation_sid"] == conversation.sid
    assert (message["body"], message["media"], message["delivery"]) == ("", None, None)
    assert (message["author"], message["participant_sid"]) == ("system", None)
    assert (message["attributes"], message["index"]) == ("{}", 0)
    assert DATE.fullmatch(message["date_created"])
    assert message["date_updated"] == message["date_created"]
    assert message["content_sid"] is None
    assert message["url"] == path
    assert message["links"] == {
        "delivery_receipts": f"{path}/Receipts",
        "channel_metadata": f"{path}/ChannelMetadata",
    }
    assert conversation.read(message) == message


def test_all_message_parameters_are_stored(conversation: MessageClient) -> None:
    message = conversation.post(
        Author="bob",
        Body="Hello ☎️",
        Attributes=' {"a": 1} ',
        DateCreated="2023-05-04T09:42:00+00:00",
        DateUpdated="2025-05-04T09:42:00Z",
        Subject="About the car",
    )
    assert (message["author"], message["body"]) == ("bob", "Hello ☎️")
    assert message["attributes"] == ' {"a": 1} '
    assert message["date_created"] == "2023-05-04T09:42:00Z"
    assert message["date_updated"] == "2025-05-04T09:42:00Z"
    assert "subject" not in message
    found = rows(conversation.server, "SELECT subject FROM message WHERE sid = ?", message["sid"])
    assert found == [("About the car",)]


def test_a_creation_date_alone_is_also_the_update_date(conversation: MessageClient) -> None:
    message = conversation.post(DateCreated="2023-05-04T09:42:00Z")
    assert message["date_updated"] == "2023-05-04T09:42:00Z"
    assert conversation.post(Body="now")["date_created"] > "2025"
    assert [
        each["index"] for each in conversation.api.get(conversation.messages).json["messages"]
    ] == [0, 1]


# --- Rejections

TOO_LONG = [
    ({"Body": "x" * 32_769}, 50504),
    ({"Body": "ü" * 16_385}, 50504),
    ({"Author": "x" * 257}, 50310),
    ({"Subject": "x" * 257}, 20001),
    ({"Attributes": '"' + "x" * 4095 + '"'}, 50303),
]
WRONG = [
    ({"Attributes": "{"}, 50304),
    ({"DateCreated": "yesterday"}, 50308),
    ({"DateCreated": ""}, 50308),
    ({"DateUpdated": "2023-13-04T09:42:00Z"}, 50309),
]
CONTENT = [
    ({"MediaSid": ""}, 50506),
    ({"MediaSid": "ME12"}, 50510),
    ({"MediaSid": "IM" + "0" * 32}, 50510),
    ({"MediaSid": "ME" + "0" * 32}, 50507),
    ({"ContentSid": "HX12"}, 50526),
    ({"ContentSid": "HX" + "0" * 32}, 50526),
    ({"ContentVariables": "{}"}, 50528),
    ({"ContentSid": "HX" + "0" * 32, "ContentVariables": "[]"}, 50527),
    ({"ContentSid": "HX" + "0" * 32, "ContentVariables": '{"1":{}}'}, 50527),
    ({"ContentSid": "HX" + "0" * 32, "ContentVariables": '{"%s":"x"}' % ("k" * 17)}, 50540),
    ({"ContentSid": "HX" + "0" * 32, "ContentVariables": '{"1":"%s"}' % ("v" * 257)}, 50541),
    (
        {
            "ContentSid": "HX" + "0" * 32,
            "ContentVariables": json.dumps({str(number): "x" for number in range(101)}),
        },
        50529,
    ),
]


@pytest.mark.parametrize(("form", "code"), TOO_LONG + WRONG + CONTENT)
def test_a_wrong_value_is_refused(
    conversation: MessageClient, form: dict[str, str], code: int
) -> None:
    conversation.post(Body="before")
    conversation.refuses_post({"Body": "x", **form}, code)
    assert conversation.post(Body="after")["index"] == 1


@pytest.mark.parametrize(("form", "code"), TOO_LONG + WRONG)
def test_a_wrong_value_is_refused_in_an_update(
    conversation: MessageClient, form: dict[str, str], code: int
) -> None:
    message = conversation.post(Body="before")
    conversation.refuses_edit(message, {"Body": "x", **form}, code)


@pytest.mark.parametrize(
    "form",
    [
        {"Body": "x" * 32_768},
        {"Body": "ü" * 16_384},
        {"Author": "ü" * 256},
        {"Subject": "x" * 256},
        {"Attributes": '"' + "x" * 4094 + '"'},
    ],
)
def test_values_of_the_maximum_length_are_accepted(
    conversation: MessageClient, form: dict[str, str]
) -> None:
    message = conversation.post(form)
    for name, text in form.items():
        assert message.get(name.lower(), text) == text
    conversation.edit(message, form).expect(200)


@pytest.mark.channel("C27")
def test_a_text_too_long_for_a_channel_fails_for_its_recipients_only(
    conversation: MessageClient,
) -> None:
    phone, mail = conversation.phone(), conversation.add({ADDRESS: "bob@example.com"})
    whatsapp = conversation.whatsapp()
    fits, too_long = conversation.post(Body="ü" * 1600), conversation.post(Body="x" * 1601)
    conversation.settle("delivered", "failed")
    for message, result in ((fits, ("delivered", 0)), (too_long, ("failed", 21617))):
        found = {
            each["participant_sid"]: (each["status"], each["error_code"])
            for each in conversation.receipts(message)
        }
        assert found == {
            phone["sid"]: result,
            whatsapp["sid"]: result,
            mail["sid"]: ("delivered", 0),
        }


# --- Authors


def test_the_author_is_found_by_identity_address_or_projected_address(
    conversation: MessageClient,
) -> None:
    alice, phone = conversation.chat("alice"), conversation.phone()
    conversation.chat("bob")
    for author, sid in (
        ("alice", alice["sid"]),
        (phone["messaging_binding"]["address"], phone["sid"]),
        (PROXY, None),
        ("Alice", None),
        ("alice ", None),
        ("nobody", None),
        ("system", None),
    ):
        assert conversation.post(Author=author)["participant_sid"] == sid
    other = MessageClient.make(conversation.server, conversation.api)
    bare = other.bare()
    made = conversation.api.post(
        f"/Conversations/{other.sid}/Messages",
        Author=bare["messaging_binding"]["projected_address"],
    ).expect(201)
    assert made["participant_sid"] == bare["sid"]


def test_an_empty_author_is_none(conversation: MessageClient) -> None:
    message = conversation.post(Author="")
    assert message["author"] == "system"
    assert conversation.edit(message, Author="", Body="x").expect(200)["author"] == "system"


def test_an_identity_comes_before_an_address(conversation: MessageClient) -> None:
    number = phone_number()
    conversation.add({ADDRESS: number, PROXY_ADDRESS: PROXY})
    named = conversation.chat(number)
    message = conversation.post(Author=number)
    assert message["participant_sid"] == named["sid"]
    assert message["delivery"] is None


def test_an_unknown_author_does_not_become_a_user(conversation: MessageClient) -> None:
    conversation.post(Author="stranger-of-messages")
    conversation.api.get("/Users/stranger-of-messages").refuses(404, 20404)


def test_a_removed_participant_stays_the_author_of_its_messages(
    conversation: MessageClient,
) -> None:
    alice = conversation.chat("alice")
    message = conversation.post(Author="alice", Body="x")
    conversation.api.delete(f"{conversation.path}/{alice['sid']}").expect(204)
    assert conversation.read(message)["participant_sid"] == alice["sid"]
    assert conversation.edit(message, Body="y").expect(200)["participant_sid"] == alice["sid"]
    assert conversation.edit(message, Author="alice").expect(200)["participant_sid"] is None


# --- Groups


@pytest.mark.channel("11.5")
def test_in_a_group_the_author_is_one_of_its_participants(conversation: MessageClient) -> None:
    own, (first, second) = conversation.in_group()
    conversation.refuses_post({"Body": "x"}, 50513)
    conversation.refuses_post({"Body": "x", "Author": "nobody"}, 50513)
    message = conversation.post(Body="x", Author="alice")
    assert message["participant_sid"] == own["sid"]
    conversation.settle()
    receipts = conversation.receipts(message)
    assert {each["participant_sid"] for each in receipts} == {first["sid"], second["sid"]}
    conversation.post(Body="x", Author=own["messaging_binding"]["projected_address"])
    by_first = conversation.post(Body="x", Author=first["messaging_binding"]["address"])
    conversation.settle()
    assert [each["participant_sid"] for each in conversation.receipts(by_first)] == [second["sid"]]
    conversation.refuses_edit(message, {"Author": "nobody"}, 50513)


def test_two_numbers_are_no_group_yet(conversation: MessageClient) -> None:
    native = conversation.native()
    message = conversation.post(Body="x")
    conversation.settle()
    assert [each["participant_sid"] for each in conversation.receipts(message)] == [native["sid"]]


def test_a_group_gets_the_authors_number_and_others_their_proxy(
    server: Server, form_api: Api
) -> None:
    group = MessageClient.make(server, form_api)
    masked = MessageClient.make(server, form_api)
    assert isinstance(group, MessageClient)
    assert isinstance(masked, MessageClient)
    own, natives = group.in_group()
    phone = masked.phone()
    sent = {
        conversation.sid: _recipients(conversation, conversation.post(Body="x", Author="alice"))
        for conversation in (group, masked)
    }
    number = own["messaging_binding"]["projected_address"]
    assert sent[group.sid] == [
        (each["messaging_binding"]["address"], number, True) for each in natives
    ]
    assert sent[masked.sid] == [(phone["messaging_binding"]["address"], PROXY, False)]


def _recipients(
    conversation: MessageClient, message: dict[str, Any]
) -> list[tuple[str, str, bool]]:
    sql = "SELECT recipients, sender, is_group FROM submission WHERE message_sid = ?"
    return [
        (each["address"], sender, bool(is_group))
        for recipients, sender, is_group in rows(conversation.server, sql, message["sid"])
        for each in json.loads(recipients)
    ]


# --- Media and content


def test_a_message_carries_a_medium(conversation: MessageClient) -> None:
    unused, sid = (
        seed_media(conversation.server, conversation.account_sid, conversation.service_sid)
        for _ in "12"
    )
    message = conversation.post(MediaSid=[unused, sid])
    item = {
        "category": "media",
        "filename": "car.jpg",
        "size": 42056,
        "content_type": "image/jpeg",
        "sid": sid,
    }
    assert list(message["media"][0]) == list(item)
    assert (message["body"], message["media"]) == (None, [item])
    assert conversation.read(message)["media"] == [item]
    conversation.refuses_post({"MediaSid": sid}, 50508)
    both = conversation.post(MediaSid=unused.upper(), Body="look")
    assert (both["body"], both["media"][0]["sid"]) == ("look", unused)
    assert conversation.edit(both, Body="see").expect(200)["media"] == both["media"]


def test_a_medium_of_another_service_or_account_is_not_found(
    conversation: MessageClient, foreign_account: tuple[str, str]
) -> None:
    other = conversation.api.under("/v1").post("/Services", FriendlyName="other").expect(201)["sid"]
    there = seed_media(conversation.server, conversation.account_sid, other)
    theirs = seed_media(conversation.server, foreign_account[0], conversation.service_sid)
    conversation.refuses_post({"MediaSid": there}, 50507)
    conversation.refuses_post({"MediaSid": theirs}, 50507)


def test_a_rendered_template_replaces_the_body(conversation: MessageClient) -> None:
    template = seed_template(
        conversation.server, conversation.account_sid, "Hello {{1}}, {{2}} {{ok}} {{3}} {x}"
    )
    unused = seed_media(conversation.server, conversation.account_sid, conversation.service_sid)
    message = conversation.post(
        ContentSid=template,
        ContentVariables='{"1":"John {{2}}","2":7,"ok":true}',
        Body="ignored",
        MediaSid=unused,
    )
    assert message["body"] == "Hello John {{2}}, 7 true {{3}} {x}"
    assert (message["content_sid"], message["media"]) == (template, None)
    assert conversation.post(MediaSid=unused)["media"] is not None
    plain = conversation.post(ContentSid=template)
    assert plain["body"] == "Hello {{1}}, {{2}} {{ok}} {{3}} {x}"


def test_a_template_of_another_account_is_not_found(
    conversation: MessageClient, foreign_account: tuple[str, str]
) -> None:
    template = seed_template(conversation.server, foreign_account[0], "Hello")
    conversation.refuses_post({"ContentSid": template}, 50526)


def test_a_filled_template_may_be_too_long_for_a_phone(conversation: MessageClient) -> None:
    template = seed_template(conversation.server, conversation.account_sid, "{{1}}" * 7)
    conversation.phone()
    form = {"ContentSid": template, "ContentVariables": json.dumps({"1": "x" * 256})}
    message = conversation.post(form)
    conversation.settle("failed")
    assert [each["error_code"] for each in conversation.receipts(message)] == [21617]
