"""Update participant: valid, invalid and clearing values of each parameter, alone and combined."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.participant_setup import (
    ADDRESS,
    DATE,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
    make_role,
)
from tests.support.phone_numbers import phone_number

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

KINDS = ("chat", "phone", "whatsapp", "bare", "projected", "native")
MEMBERS = ("chat", "phone")


@pytest.fixture
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


# --- Attributes


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_replace_the_text_as_it_was_sent(
    conversation: ConversationClient, kind: str
) -> None:
    member = conversation.of_kind(kind)
    for text in (
        '{"seat":"2A"}',
        ' {\n "a" : [1, 2.50, 1e3, true, null] ,\t"b":{}} ',
        '"text"',
        "17",
        "null",
        "[]",
        '{"name":"Jürgen ☎️","escaped":"\\u00fc\\ud83d\\ude00"}',
        '{"twice":1,"twice":2}',
        '"' + "x" * 4094 + '"',
    ):
        conversation.accepts(member, {"Attributes": text}, {"attributes": text})


def test_empty_attributes_become_an_empty_object(conversation: ConversationClient) -> None:
    member = conversation.chat()
    conversation.accepts(member, {"Attributes": '{"a":1}'}, {"attributes": '{"a":1}'})
    conversation.accepts(member, {"Attributes": ""}, {"attributes": "{}"})


@pytest.mark.parametrize(
    "text",
    ["{", "x", "{'a':1}", '{"a":1,}', '{"a":1}{"b":2}', "NaN", "01", '"\n"', " ", "nul"],
)
@pytest.mark.parametrize("kind", MEMBERS)
def test_attributes_that_are_not_json_are_refused(
    conversation: ConversationClient, kind: str, text: str
) -> None:
    error = conversation.refuses(conversation.of_kind(kind), {"Attributes": text}, 50304)
    assert error["message"] == "Attributes not valid JSON"


def test_a_nul_is_rejected_anywhere_in_a_text(conversation: ConversationClient) -> None:
    member = conversation.chat()
    for form in ({"Attributes": '"\x00"'}, {"Attributes": "[1]", "Unknown": "\x00"}):
        conversation.refuses(member, form, 20001)


@pytest.mark.parametrize(
    "text", ['"' + "x" * 4095 + '"', '"' + "ü" * 2048 + '"', "[" + " " * 100_000 + "]"]
)
def test_attributes_above_four_kibibytes_are_refused(
    conversation: ConversationClient, text: str
) -> None:
    conversation.refuses(conversation.chat(), {"Attributes": text}, 50303)


# --- DateCreated and DateUpdated

DATES = {
    "2023-05-04T09:42:00+00:00": "2023-05-04T09:42:00Z",
    "2025-05-04T09:42:00Z": "2025-05-04T09:42:00Z",
    "2023-05-04T11:42:00+02:00": "2023-05-04T09:42:00Z",
    "2023-05-04T04:12:00-05:30": "2023-05-04T09:42:00Z",
    "2023-05-04T09:42:00.999Z": "2023-05-04T09:42:00Z",
    "2023-05-04": "2023-05-04T00:00:00Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    "1969-07-20T20:17:40Z": "1969-07-20T20:17:40Z",
    "2999-12-31T23:59:59Z": "2999-12-31T23:59:59Z",
}
BAD_DATES = (
    "yesterday",
    "1683193320",
    "2023-13-01T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2023-05-04T24:00:01Z",
    "2023-05-04T09:60:00Z",
    "2023-05-04 09:42:00Z",
    "2023-05-04T09:42Zulu",
    "04/05/2023",
    "Thu, 04 May 2023 09:42:00 GMT",
    "2023-05-04T09:42:00+25:00",
    "٢٠٢٣-05-04T09:42:00Z",
)
DATE_NAMES = {"DateCreated": ("date_created", 50308), "DateUpdated": ("date_updated", 50309)}


@pytest.mark.parametrize("name", DATE_NAMES)
@pytest.mark.parametrize("kind", MEMBERS)
def test_dates_are_stored_as_given_in_utc(
    conversation: ConversationClient, kind: str, name: str
) -> None:
    member = conversation.of_kind(kind)
    for text, shown in DATES.items():
        conversation.accepts(member, {name: text}, {DATE_NAMES[name][0]: shown})


@pytest.mark.parametrize("name", DATE_NAMES)
@pytest.mark.parametrize("text", BAD_DATES)
def test_an_invalid_date_is_rejected(
    conversation: ConversationClient, name: str, text: str
) -> None:
    conversation.refuses(conversation.chat(), {name: text}, DATE_NAMES[name][1])


@pytest.mark.parametrize("name", DATE_NAMES)
def test_a_date_with_an_unencoded_plus_is_accepted(
    conversation: ConversationClient, name: str
) -> None:
    member = conversation.chat()
    answer = conversation.api.post(
        f"{conversation.path}/{member['sid']}",
        body=f"{name}=2023-05-04T11:42:00+02:00",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.expect(200)[DATE_NAMES[name][0]] == "2023-05-04T09:42:00Z"


def test_an_update_without_dates_is_dated_now(conversation: ConversationClient) -> None:
    member = conversation.chat()
    assert member["date_updated"] == "2020-01-02T00:00:00Z"
    after = conversation.accepts(member, {"Attributes": "{}"}, {})
    assert after["date_created"] == "2020-01-01T00:00:00Z"
    now = conversation.api.post("/Conversations").expect(201)["date_created"]
    assert "2025" < after["date_updated"] <= now


# --- RoleSid


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_role_is_accepted(conversation: ConversationClient, kind: str) -> None:
    member, role = conversation.of_kind(kind), make_role(conversation.api)
    conversation.accepts(member, {"RoleSid": role}, {"role_sid": role})
    default = conversation.default_role()
    conversation.accepts(member, {"RoleSid": "RL" + default[2:].upper()}, {"role_sid": default})


def test_an_empty_role_changes_no_role(conversation: ConversationClient) -> None:
    member = conversation.chat()
    conversation.accepts(member, {"RoleSid": "", "Attributes": "[1]"}, {"attributes": "[1]"})


def test_a_role_that_is_not_one_of_conversations_of_this_service_is_refused(
    conversation: ConversationClient, foreign_api: Api
) -> None:
    member = conversation.chat()
    elsewhere = conversation.api.under("/v1").post("/Services", FriendlyName="x").expect(201)["sid"]
    for role in (
        make_role(conversation.api, "service"),
        make_role(conversation.api.service(elsewhere)),
        make_role(foreign_api),
        "RL" + "0" * 32,
        "US" + "0" * 32,
        "RL123",
        "null",
        " ",
    ):
        conversation.refuses(member, {"RoleSid": role}, 50109)


# --- LastReadMessageIndex and LastReadTimestamp


@pytest.mark.parametrize("kind", MEMBERS)
def test_the_read_horizon_moves_forward_and_back(
    conversation: ConversationClient, kind: str
) -> None:
    member = conversation.of_kind(kind)
    conversation.send_messages(3)
    for text, index in (("1", 1), ("2", 2), ("0", 0), ("+1", 1), ("0002", 2)):
        after = conversation.accepts(
            member,
            {"LastReadMessageIndex": text},
            {"last_read_message_index": index},
            but={"last_read_timestamp"},
        )
        assert DATE.fullmatch(after["last_read_timestamp"])
        assert after["last_read_timestamp"] > "2025"


def test_an_index_above_the_newest_becomes_the_newest(conversation: ConversationClient) -> None:
    member = conversation.chat()
    form = {"LastReadMessageIndex": "5"}
    conversation.accepts(
        member, form, {"last_read_message_index": None}, but={"last_read_timestamp"}
    )
    conversation.send_messages(3)
    for text in ("3", "5", "1000000000"):
        form = {"LastReadMessageIndex": text}
        conversation.accepts(
            member, form, {"last_read_message_index": 2}, but={"last_read_timestamp"}
        )


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "1e2", "0x1", "1 2", "٣", "NULL"])
@pytest.mark.parametrize("kind", MEMBERS)
def test_an_index_that_is_not_a_count_is_refused(
    conversation: ConversationClient, kind: str, text: str
) -> None:
    member = conversation.of_kind(kind)
    conversation.send_messages(1)
    conversation.refuses(member, {"LastReadMessageIndex": text}, 50421)


@pytest.mark.parametrize("text", ["", "null"])
def test_the_read_horizon_can_be_cleared(conversation: ConversationClient, text: str) -> None:
    member = conversation.chat()
    conversation.send_messages(2)
    conversation.update(member, {"LastReadMessageIndex": "1"}).expect(200)
    cleared = {"last_read_message_index": None, "last_read_timestamp": None}
    conversation.accepts(member, {"LastReadMessageIndex": text}, cleared)
    user = conversation.api.get(f"/Users/alice/Conversations/{conversation.sid}").expect(200)
    assert (user["unread_messages_count"], user["last_read_message_index"]) == (None, None)


@pytest.mark.parametrize("kind", MEMBERS)
def test_the_timestamp_may_be_given_alone_or_with_the_index(
    conversation: ConversationClient, kind: str
) -> None:
    member = conversation.of_kind(kind)
    conversation.send_messages(2)
    for text, shown in DATES.items():
        conversation.accepts(member, {"LastReadTimestamp": text}, {"last_read_timestamp": shown})
        both = {"LastReadMessageIndex": "1", "LastReadTimestamp": text}
        expected = {"last_read_message_index": 1, "last_read_timestamp": shown}
        conversation.accepts(member, both, expected)


@pytest.mark.parametrize("text", BAD_DATES)
def test_a_timestamp_that_is_not_a_date_is_refused(
    conversation: ConversationClient, text: str
) -> None:
    member = conversation.chat()
    conversation.send_messages(1)
    conversation.refuses(member, {"LastReadTimestamp": text}, 50405)
    conversation.refuses(member, {"LastReadTimestamp": text, "LastReadMessageIndex": "0"}, 50405)


def test_the_user_sees_the_read_horizon_of_its_participant(
    conversation: ConversationClient,
) -> None:
    member = conversation.chat()
    conversation.send_messages(3)
    conversation.update(member, {"LastReadMessageIndex": "0"}).expect(200)
    user = conversation.api.get(f"/Users/alice/Conversations/{conversation.sid}").expect(200)
    assert (user["unread_messages_count"], user["last_read_message_index"]) == (2, 0)


# --- Several parameters at once

WHEN = "2023-05-04T09:42:00Z"
EVERY = {
    "Attributes": ('{"seat":"2A"}', {"attributes": '{"seat":"2A"}'}),
    "DateCreated": (WHEN, {"date_created": WHEN}),
    "DateUpdated": (WHEN, {"date_updated": WHEN}),
    "RoleSid": ("(role)", {"role_sid": "(role)"}),
    "LastReadMessageIndex": ("1", {"last_read_message_index": 1}),
    "LastReadTimestamp": (WHEN, {"last_read_timestamp": WHEN}),
}
MORE = {
    "chat": (PROJECTED_ADDRESS,),
    "phone": (PROXY_ADDRESS,),
    "bare": (PROJECTED_ADDRESS, "Identity"),
}
PAIRS = [
    (kind, names)
    for kind, more in MORE.items()
    for names in itertools.combinations([*EVERY, *more], 2)
]


def combined(
    conversation: ConversationClient, member: dict[str, Any], names: tuple[str, ...]
) -> tuple[Any, Any]:
    """Return a form with these parameters, and the changes that it should cause."""
    role, number = make_role(conversation.api), phone_number()
    form, expected = {}, {}
    for name in names:
        if name in EVERY:
            text, changes = EVERY[name]
        elif name == "Identity":
            text, changes = "bob", {"identity": "bob"}
        else:
            key = "proxy_address" if name == PROXY_ADDRESS else "projected_address"
            bound = {"type": "sms", **(member["messaging_binding"] or {}), key: number}
            text, changes = number, {"messaging_binding": bound}
        form[name] = role if text == "(role)" else text
        expected |= {k: role if v == "(role)" else v for k, v in changes.items()}
    return form, expected


def loose(names: tuple[str, ...]) -> set[str]:
    """Return keys whose new value is not predictable: a date of now, the role of a new kind."""
    open_keys = set()
    if "LastReadMessageIndex" in names and "LastReadTimestamp" not in names:
        open_keys.add("last_read_timestamp")
    if "Identity" in names and "RoleSid" not in names:
        open_keys.add("role_sid")
    return open_keys


@pytest.mark.parametrize(("kind", "names"), PAIRS)
def test_any_two_parameters_are_accepted_together(
    conversation: ConversationClient, kind: str, names: tuple[str, ...]
) -> None:
    member = conversation.of_kind(kind)
    conversation.send_messages(2)
    form, expected = combined(conversation, member, names)
    conversation.accepts(member, form, expected, but=loose(names))


@pytest.mark.parametrize("kind", MORE)
def test_all_parameters_are_accepted_together(conversation: ConversationClient, kind: str) -> None:
    member = conversation.of_kind(kind)
    conversation.send_messages(2)
    form, expected = combined(conversation, member, (*EVERY, *MORE[kind]))
    conversation.accepts(member, form, expected)


BAD = (
    ("Attributes", "{", 50304),
    ("Attributes", '"' + "x" * 4095 + '"', 50303),
    ("DateCreated", "soon", 50308),
    ("DateUpdated", "soon", 50309),
    ("RoleSid", "RL" + "0" * 32, 50109),
    ("LastReadMessageIndex", "-1", 50421),
    ("LastReadTimestamp", "soon", 50405),
    ("Identity", "x" * 257, 50207),
    (PROXY_ADDRESS, "12 34", 50408),
)


@pytest.mark.parametrize(("name", "text", "code"), BAD)
def test_one_bad_parameter_keeps_the_others_from_changing_anything(
    conversation: ConversationClient, name: str, text: str, code: int
) -> None:
    kind = {"Identity": "bare", PROXY_ADDRESS: "phone"}.get(name, "chat")
    member = conversation.of_kind(kind)
    conversation.send_messages(2)
    form, _ = combined(conversation, member, (*EVERY, *MORE[kind]))
    conversation.refuses(member, {**form, name: text}, code)


# --- Unknown parameters


@pytest.mark.parametrize(
    "form",
    [{}, {"Unknown": "x"}, {"attributes": "{}"}, {"Sid": "x"}, {ADDRESS: "+15550000000"}],
)
def test_an_update_without_a_parameter_is_refused(
    conversation: ConversationClient, form: dict[str, str]
) -> None:
    conversation.refuses(conversation.phone(), form, 20161)


def test_unknown_parameters_are_ignored_next_to_known_ones(
    conversation: ConversationClient,
) -> None:
    member = conversation.phone()
    form = {"Attributes": "[1]", ADDRESS: phone_number(), "Sid": "x", "Unknown": "x"}
    conversation.accepts(member, form, {"attributes": "[1]"})


def test_the_last_of_repeated_parameters_applies(conversation: ConversationClient) -> None:
    conversation.accepts(conversation.chat(), {"Attributes": ["{", "[2]"]}, {"attributes": "[2]"})


def test_parameters_in_the_query_are_not_read(conversation: ConversationClient) -> None:
    member = conversation.chat()
    before = conversation.fetch(member)
    query = {"Attributes": "[1]"}
    path = f"{conversation.path}/{member['sid']}"
    conversation.api.request("POST", path, query=query, form={}).refuses(400, 20161)
    assert conversation.fetch(member) == before


def test_a_json_body_is_refused(conversation: ConversationClient) -> None:
    member = conversation.chat()
    before = conversation.fetch(member)
    conversation.api.post(
        f"{conversation.path}/{member['sid']}",
        body='{"Attributes": "[1]"}',
        headers={"Content-Type": "application/json"},
    ).refuses(415, 20001)
    assert conversation.fetch(member) == before


def test_a_multipart_form_is_read_like_any_form(conversation: ConversationClient) -> None:
    member = conversation.chat()
    body = (
        '--b\r\nContent-Disposition: form-data; name="Attributes"\r\n\r\n["ü"]\r\n'
        '--b\r\nContent-Disposition: form-data; name="DateCreated"\r\n\r\n2023-05-04\r\n--b--\r\n'
    )
    answer = conversation.api.post(
        f"{conversation.path}/{member['sid']}",
        body=body,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.expect(200)["attributes"] == '["ü"]'
    assert answer.json["date_created"] == "2023-05-04T00:00:00Z"
