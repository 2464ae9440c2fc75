"""Webhooks of WhatsApp: registration, signatures, malformed and hostile bodies, rich types."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.carrier import CallbackRefused, CallbackRequest
from parlour.protocol import addresses
from parlour.vocabulary import limits
from tests.carriers.graph_api import (
    USER,
    USER_ID,
    VERIFY_TOKEN,
    contact,
    message_value,
    status_value,
    webhook,
)
from tests.carriers.http_carrier_setup import CALLBACK_URL
from tests.carriers.whatsapp_setup import (
    OWN,
    PHONE,
    REFERENCE,
    carrier_with,
    options_for,
    signed,
)

if TYPE_CHECKING:
    from parlour.channels.carrier import Callback, InboundMessage

CARRIER = carrier_with(None, options_for())


def read(request: CallbackRequest) -> Callback:
    return asyncio.run(CARRIER.read_callback(request))


def refused(request: CallbackRequest) -> int:
    with pytest.raises(CallbackRefused) as error:
        read(request)
    return error.value.status


def inbound(type_: str, content: Any, **members: Any) -> InboundMessage:
    (message,) = read(signed(webhook(message_value(type_, content, **members)))).inbound
    return message


# --- Registration --------------------------------------------------------------------------------


def registration(query: str, path: str = "webhook") -> CallbackRequest:
    return CallbackRequest("GET", path, f"{CALLBACK_URL}/{path}?{query}", query, {}, b"")


def test_the_challenge_is_returned_for_our_token() -> None:
    query = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}"
    response = read(registration(query)).response
    assert (response.status, response.content_type) == (200, "text/plain")
    assert response.body == b"1158201444"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 403),
        ("hub.mode=subscribe&hub.challenge=1", 403),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", 403),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong", 403),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=%C3%A9", 403),
        (f"hub.mode=unsubscribe&hub.challenge=1&hub.verify_token={VERIFY_TOKEN}", 403),
        (f"hub.challenge=1&hub.verify_token={VERIFY_TOKEN}", 403),
        (f"hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}", 400),
        (f"hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge={'1' * 1025}", 400),
        ("%zz", 400),
        ("a=\udc80", 400),
    ],
)
def test_a_wrong_registration_is_refused(query: str, status: int) -> None:
    assert refused(registration(query)) == status


@pytest.mark.parametrize("path", ["", "status", "webhook/", "webhook/x", "Webhook"])
def test_other_paths_do_not_exist(path: str) -> None:
    assert refused(signed(webhook(status_value("sent")), path=path)) == 404
    assert refused(registration("", path)) == 404


# --- Signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "é",
        "\udc80",
        "upper",
        "without prefix",
        "of another secret",
    ],
)
def test_a_wrong_signature_is_refused(given_signature: str | None) -> None:
    body = webhook(message_value("text", {"body": "Hello"}))
    right = signed(body).headers["x-hub-signature-256"]
    changed = {
        None: None,
        "upper": right.upper(),
        "without prefix": right.removeprefix("sha256="),
        "of another secret": signed(body, secret="other").headers["x-hub-signature-256"],
    }.get(given_signature, given_signature)
    headers = {} if changed is None else {"x-hub-signature-256": changed}
    assert refused(msgspec.structs.replace(signed(body), headers=headers)) == 403


@given(st.data())
def test_each_changed_byte_of_a_body_is_noticed(data: st.DataObject) -> None:
    request = signed(webhook(status_value("delivered")))
    at = data.draw(st.integers(0, len(request.body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda each: each != request.body[at]))
    body = request.body[:at] + bytes([other]) + request.body[at + 1 :]
    assert refused(msgspec.structs.replace(request, body=body)) == 403


# --- Malformed and hostile bodies -----------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"null",
        b'{"object": 1}',
        b'{"entry": {}}',
        b'{"entry": [{"changes": 7}]}',
        b'{"entry": [[]]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_malformed_webhook_is_refused_with_400(body: bytes) -> None:
    assert refused(signed(body)) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"object": "page", "entry": [{"changes": [{"field": "messages", "value": 7}]}]}',
        b'{"object": "whatsapp_business_account"}',
        b'{"object": "whatsapp_business_account", "entry": [{}]}',
        webhook({}, field="account_update"),
        webhook(message_value("text", {"body": "Hello"}), number_id="42"),
        webhook({"messages": 7}),
        webhook({"messages": [7, [], {}, {"id": "a"}, {"id": 1, "type": "text"}]}),
        webhook({"statuses": [7, None, {"id": "a"}, {"id": "", "status": "sent"}]}),
        webhook(status_value("warning")),
        webhook(status_value("sent", "wamid.\0")),
        webhook(status_value("sent", "x" * 257)),
    ],
)
def test_a_webhook_about_something_else_is_acknowledged(body: bytes) -> None:
    callback = read(signed(body))
    assert (callback.inbound, callback.reports) == ((), ())
    assert callback.response.status == 200


def test_one_malformed_element_does_not_hold_back_the_others() -> None:
    value = message_value("text", {"body": "Hello"})
    value["contacts"].insert(0, 7)
    value["messages"].insert(0, {"id": 5})
    value["messages"].append({"type": "image", "image": {"id": "../../me"}, "id": "wamid.9"})
    value["statuses"] = [5, *status_value("read")["statuses"]]
    callback = read(signed(webhook(value)))
    assert [each.body for each in callback.inbound] == ["Hello"]
    assert [each.status for each in callback.reports] == ["read"]


def test_an_element_that_is_not_utf8_does_not_hold_back_the_others() -> None:
    """WhatsApp redelivers a webhook as a whole, so an error would never end."""
    value = message_value("text", {"body": "Hello"})
    value["contacts"].insert(0, {"wa_id": "MARK"})
    value["messages"].insert(0, {"id": "MARK", "type": "text"})
    value["statuses"] = [{"id": "MARK", "status": "sent"}, *status_value("read")["statuses"]]
    callback = read(signed(webhook(value).replace(b"MARK", b"\xff")))
    assert [each.body for each in callback.inbound] == ["Hello"]
    assert [each.status for each in callback.reports] == ["read"]


@pytest.mark.parametrize(
    ("type_", "content"),
    [
        ("unsupported", None),
        ("system", {"body": "User changed the number"}),
        ("request_welcome", {}),
        ("text", {}),
        ("text", {"body": ""}),
        ("text", {"body": ["x"]}),
        ("text", {"body": "\0"}),
        ("reaction", {"message_id": "wamid.1"}),
        ("reaction", {"message_id": "wamid.1", "emoji": ""}),
        ("interactive", {"type": "call_permission_reply"}),
        ("interactive", {}),
        ("location", {"name": "Nowhere"}),
        ("contacts", []),
        ("contacts", [{}]),
        ("order", {}),
        ("image", {"id": "a/b"}),
        ("__class__", {}),
    ],
)
def test_a_message_without_anything_to_store_is_skipped(type_: str, content: Any) -> None:
    assert read(signed(webhook(message_value(type_, content)))).inbound == ()


def test_a_message_of_a_group_is_skipped() -> None:
    value = message_value("text", {"body": "Hello"}, group_id="HBgL")
    assert read(signed(webhook(value))).inbound == ()


SHARED_MEMBERS = ("from", "id", "context", "from_user_id")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.sampled_from(
        [
            *("text", "image", "button", "interactive", "location", "contacts", "order"),
            *("reaction", *SHARED_MEMBERS),
        ]
    ),
    st.booleans(),
)
def test_any_member_of_any_shape_is_stored_or_skipped(
    content: Any, member: str, with_status: bool
) -> None:
    type_ = "text" if member in SHARED_MEMBERS else member
    value = message_value(type_, {"body": "Hello"})
    value["messages"][0][member] = content
    if with_status:
        value["statuses"] = [{"id": "wamid.1", "status": "failed", "errors": content}]
    callback = read(signed(webhook(value)))
    for message in callback.inbound:
        assert message.provider_id.isprintable()
        assert "\0" not in repr(msgspec.to_builtins(message))
        address = addresses.parse_address(message.sender)
        assert address is not None
        assert address.type == "whatsapp"
        assert message.body or message.media


# --- Meaning -------------------------------------------------------------------------------------


def test_a_status_without_our_reference_names_the_message() -> None:
    for reference in (None, "", "WA1", "SM" + "0" * 32, "x" * 500):
        body = webhook(status_value("sent", biz_opaque_callback_data=reference))
        (report,) = read(signed(body)).reports
        assert (report.reference, report.provider_id) == (None, "wamid.00000001")
    (report,) = read(
        signed(webhook(status_value("sent", biz_opaque_callback_data=REFERENCE)))
    ).reports
    assert (report.reference, report.provider_id) == (REFERENCE, None)


@pytest.mark.parametrize("errors", [None, [], [{}], [{"code": "x"}], [{"code": 131026}]])
def test_a_failure_is_undelivered_with_a_code(errors: Any) -> None:
    (report,) = read(signed(webhook(status_value("failed", errors=errors)))).reports
    assert report.status == "undelivered"
    assert report.error_code == (63024 if errors and errors[0].get("code") == 131026 else 63005)


@pytest.mark.parametrize("with_id", [True, False])
@pytest.mark.parametrize("with_number", [True, False])
def test_a_contact_may_lack_its_number_or_its_id(*, with_number: bool, with_id: bool) -> None:
    sender = contact(with_number=with_number, with_id=with_id)
    message = inbound("text", {"body": "Hello"}, sender=sender, from_user_id=None)
    assert message.sender == PHONE
    assert message.profile_name == "Ada"
    assert message.metadata is not None
    context = message.metadata["context"]
    assert context["WaId"] == USER
    assert context.get("UserId") == (USER_ID if with_id else None)


@pytest.mark.channel("C40")
def test_a_user_without_a_number_has_an_address_of_the_id() -> None:
    sender = contact(with_number=False)
    message = inbound("text", {"body": "Hello"}, sender=sender, **{"from": None})
    assert message.sender == f"whatsapp:{USER_ID}"
    assert addresses.parse_address(message.sender) is not None
    assert addresses.parse_proxy_address(message.sender) is None


def test_a_message_without_a_contact_is_stored() -> None:
    value = message_value("text", {"body": "Hello"})
    del value["contacts"]
    (message,) = read(signed(webhook(value))).inbound
    assert (message.sender, message.receiver, message.profile_name) == (PHONE, OWN, None)


@pytest.mark.channel("C41")
@pytest.mark.parametrize(
    ("type_", "content", "body", "context"),
    [
        ("text", {"body": "Hello"}, "Hello", {}),
        ("button", {"text": "Yes", "payload": "y"}, "Yes", {"ButtonPayload": "y"}),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}},
            "Yes",
            {"ButtonPayload": "y", "ButtonText": "Yes"},
        ),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "t", "title": "Tea"}},
            "Tea",
            {"ListId": "t", "ListTitle": "Tea"},
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"response_json": '{"a":1}', "name": "flow"}},
            '{"a":1}',
            {"InteractiveData": '{"a":1}'},
        ),
        (
            "location",
            {"latitude": 52.5, "longitude": -13.4},
            "52.5, -13.4",
            {"Latitude": "52.5", "Longitude": "-13.4"},
        ),
        (
            "contacts",
            [
                {"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+1555"}, {"x": 1}]},
                {"name": {"formatted_name": "Eve"}},
            ],
            "Bob +1555\nEve",
            {},
        ),
        (
            "reaction",
            {"message_id": "wamid.1", "emoji": "👍"},
            "👍",
            {"RepliedMessageId": "wamid.1"},
        ),
        (
            "order",
            {"catalog_id": "c", "product_items": [{"product_retailer_id": "p", "quantity": 2}]},
            "2 p",
            {"CatalogId": "c"},
        ),
    ],
)
def test_a_rich_type_becomes_text_and_metadata(
    type_: str, content: Any, body: str, context: dict[str, str]
) -> None:
    message = inbound(type_, content)
    assert message.body == body
    assert message.media == ()
    assert message.metadata is not None
    assert message.metadata["context"].items() >= {**context, "MessageType": type_}.items()


@pytest.mark.channel("C41")
def test_a_sticker_and_a_voice_message_are_media_without_a_text() -> None:
    for type_, mime in (("sticker", "image/webp"), ("audio", "audio/ogg; codecs=opus")):
        message = inbound(type_, {"id": "12", "mime_type": mime, "voice": True})
        (medium,) = message.media
        assert message.body is None
        assert (medium.content_type, medium.location) == (mime.partition(";")[0], "12")
        assert medium.content is None


def test_a_document_has_its_name_and_a_hostile_type_is_octets() -> None:
    content = {"id": "12", "mime_type": "text/html\r\nX: 1", "filename": "a\0" + "b" * 300}
    (medium,) = inbound("document", content).media
    assert medium.content_type == "application/octet-stream"
    assert medium.filename == ("a" + "b" * 300)[: limits.MEDIA_FILENAME_CHARS_MAX]


def test_a_long_text_of_the_metadata_is_cut_off() -> None:
    message = inbound("text", {"body": "Hello"}, sender=contact(name="n" * 10_000))
    assert message.metadata is not None
    name = message.metadata["context"]["ProfileName"]
    assert len(name) == limits.WHATSAPP_METADATA_CHARS_MAX
