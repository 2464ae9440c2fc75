"""Callbacks of an HTTP provider: signatures by the official library, and hostile requests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from parlour.channels.carrier import (
    Callback,
    CallbackRefused,
    CallbackRequest,
    DeliveryReport,
    InboundMedium,
    InboundMessage,
)
from parlour.channels.http_provider.carrier import CARRIER_TYPE
from parlour.channels.http_provider.options import HttpProviderOptions
from tests.carriers.http_carrier_setup import (
    PHONE,
    PROXY,
    REFERENCE,
    make_callback,
    make_carrier,
)

TOKEN = "token-of-the-account"
INBOUND = {"MessageSid": "SM1", "From": PHONE, "To": PROXY, "Body": "Hi", "NumMedia": "0"}
STATUS = {"MessageSid": "SM9", "MessageStatus": "delivered", "From": PROXY, "To": PHONE}
UNSIGNED = {"signature": "none"}


def make_options(base_url: str = "https://api.example.com", **changes: Any) -> HttpProviderOptions:
    values = {"base_url": base_url, "account_sid": "AC9", "auth_token": TOKEN}
    return HttpProviderOptions(**(values | changes))


def read(request: CallbackRequest, **changes: Any) -> Callback:
    return asyncio.run(make_carrier(CARRIER_TYPE, make_options(**changes)).read_callback(request))


def refused(request: CallbackRequest, **changes: Any) -> int:
    with pytest.raises(CallbackRefused) as caught:
        read(request, **changes)
    return caught.value.status


def inbound(changes: dict[str, str] | None = None, **options: Any) -> InboundMessage:
    parameters = {name: value for name, value in (INBOUND | (changes or {})).items() if value}
    request = make_callback("inbound", urlencode(parameters).encode())
    [message] = read(request, **(UNSIGNED | options)).inbound
    return message


def report(path: str = "status", **parameters: str) -> tuple[DeliveryReport, ...]:
    body = urlencode({"MessageSid": "SM9", **parameters}).encode()
    return read(make_callback(path, body), **UNSIGNED).reports


# --- Signatures ---------------------------------------------------------------------------


def sign(url: str, parameters: dict[str, str], algorithm: str = "HMAC_SHA1") -> str:
    signature: str = RequestValidator(TOKEN).compute_signature(url, parameters, algorithm)
    return signature


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    extra=st.dictionaries(st.text("abcXYZ09_", min_size=1), _TEXT, max_size=5),
    port=st.sampled_from(["", ":443", ":8443"]),
    signed_port=st.booleans(),
    algorithm=st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]),
)
def test_a_callback_signed_by_the_official_library_is_read(
    extra: dict[str, str], port: str, signed_port: bool, algorithm: str
) -> None:
    parameters = extra | INBOUND
    base = f"https://chat.example.com{port}/parlour/v1/Carriers/main"
    signed_base = base if signed_port else base.replace(port, "", 1)
    if signed_port and not port:
        signed_base = base.replace("example.com", "example.com:443")
    signature = sign(f"{signed_base}/inbound", parameters, algorithm)
    request = make_callback(
        "inbound", urlencode(parameters).encode(), base=base, x_twilio_signature=signature
    )
    scheme = {"HMAC_SHA1": "twilio", "HMAC_SHA256": "twilio-sha256"}[algorithm]

    [message] = read(request, signature=scheme).inbound

    assert message.provider_id == "SM1"


def test_a_get_callback_is_signed_by_its_url() -> None:
    query = urlencode(INBOUND)
    unsigned = make_callback("inbound", query=query, method="GET")
    request = make_callback(
        "inbound", query=query, method="GET", x_twilio_signature=sign(unsigned.url, {})
    )

    [message] = read(request).inbound

    assert message.sender == PHONE


def test_each_changed_part_of_a_signed_callback_gets_403() -> None:
    path, body = f"status/{REFERENCE}", urlencode(STATUS).encode()
    genuine = make_callback(path, body)
    signature = sign(genuine.url, STATUS)
    other = path.replace("7", "8")
    altered = body.replace(b"delivered", b"failed")

    assert read(make_callback(path, body, x_twilio_signature=signature)).reports
    assert refused(make_callback(path, altered, x_twilio_signature=signature)) == 403
    assert refused(make_callback(path, body + b"&A=b", x_twilio_signature=signature)) == 403
    assert refused(make_callback(other, body, x_twilio_signature=signature)) == 403
    assert refused(make_callback(path, body, x_twilio_signature=signature[:-2] + "x=")) == 403
    assert refused(make_callback(path, body, x_twilio_signature="")) == 403
    assert refused(make_callback(path, body, x_twilio_signature="ünsigned")) == 403
    assert refused(make_callback(path, body)) == 403


def test_a_callback_signed_with_another_token_gets_403() -> None:
    request = make_callback("inbound", urlencode(INBOUND).encode())
    signature = RequestValidator("another").compute_signature(request.url, INBOUND)

    signed = make_callback("inbound", request.body, x_twilio_signature=signature)

    assert refused(signed) == 403


BODY_SIGNED = {
    "signature": "body-sha256",
    "signature_header": "X-Hub-Signature-256",
    "signature_secret": "shared",
}


def hash_with_secret(body: bytes) -> bytes:
    return hmac.new(b"shared", body, hashlib.sha256).digest()


def test_a_signature_of_the_body_may_be_hexadecimal_or_base64() -> None:
    body = urlencode(INBOUND).encode()
    digest = hash_with_secret(body)
    for text in (digest.hex(), f"sha256={digest.hex()}", base64.b64encode(digest).decode()):
        request = make_callback("inbound", body, x_hub_signature_256=text)
        assert len(read(request, **BODY_SIGNED).inbound) == 1

    wrong = make_callback("inbound", body + b" ", x_hub_signature_256=digest.hex())

    assert refused(wrong, **BODY_SIGNED) == 403


def test_a_signed_body_authenticates_no_query() -> None:
    signature = hash_with_secret(b"").hex()
    query = urlencode(INBOUND)

    for method in ("GET", "POST"):
        request = make_callback(
            "inbound", query=query, method=method, x_hub_signature_256=signature
        )
        assert refused(request, **BODY_SIGNED) in {400, 403}


def test_a_signed_status_is_no_inbound_message() -> None:
    body = urlencode(STATUS).encode()
    signature = hash_with_secret(body).hex()

    request = make_callback("inbound", body, x_hub_signature_256=signature)

    assert refused(request, **BODY_SIGNED) == 400


def test_a_secret_in_a_header_is_compared_whole() -> None:
    options = {"signature": "header", "signature_header": "X-Key", "signature_secret": "shared"}
    body = urlencode(INBOUND).encode()

    assert read(make_callback("inbound", body, x_key="shared"), **options).inbound
    for wrong in ("", "share", "shared ", "Shared"):
        assert refused(make_callback("inbound", body, x_key=wrong), **options) == 403


# --- Malformed callbacks ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "other", "inbound/x", "status-x"])
def test_an_unknown_path_gets_404(path: str) -> None:
    assert refused(make_callback(path, urlencode(INBOUND).encode()), **UNSIGNED) == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageSid": ""},
        {"From": ""},
        {"From": "nobody@nowhere"},
        {"To": "whatsapp:+15017122661"},
        {"NumMedia": "x"},
        {"NumMedia": "9" * 5000},
        {"NumMedia": "-1"},
        {"NumMedia": "2", "MediaUrl0": "https://api.example.com/m"},
        {"OtherRecipients0": "x y"},
        {"MessageStatus": "delivered"},
    ],
)
def test_a_malformed_inbound_message_gets_400(changes: dict[str, str]) -> None:
    parameters = {name: value for name, value in (INBOUND | changes).items() if value}

    request = make_callback("inbound", urlencode(parameters).encode())

    assert refused(request, **UNSIGNED) == 400


@pytest.mark.parametrize("body", [b"%zz=1", b"a=%ff", b"a=\xff", b"a=b\0"])
def test_a_malformed_form_gets_400(body: bytes) -> None:
    assert refused(make_callback("inbound", body), **UNSIGNED) == 400


def test_a_body_that_is_no_form_gets_400() -> None:
    request = make_callback("inbound", b"{}", content_type="application/json")

    assert refused(request, **UNSIGNED) == 400


@pytest.mark.parametrize("parameters", [{}, {"MessageSid": "SM9"}, {"MessageStatus": "sent"}])
def test_a_status_without_sid_or_status_gets_400(parameters: dict[str, str]) -> None:
    request = make_callback("status", urlencode(parameters).encode())

    assert refused(request, **UNSIGNED) == 400


@given(st.binary(max_size=200), st.sampled_from(["inbound", "status", f"status/{REFERENCE}"]))
def test_any_body_is_read_or_refused(body: bytes, path: str) -> None:
    read_or_refused: Callback | int
    try:
        read_or_refused = read(make_callback(path, body), **UNSIGNED)
    except CallbackRefused as error:
        read_or_refused = error.status

    assert isinstance(read_or_refused, Callback) or read_or_refused == 400


# --- Content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "status", "code"),
    [
        ("sent", "sent", 0),
        ("delivered", "delivered", 0),
        ("read", "read", 0),
        ("Delivered", "delivered", 0),
        ("undelivered", "undelivered", 30003),
        ("failed", "failed", 30003),
    ],
)
def test_a_status_becomes_a_report_of_its_reference(reported: str, status: str, code: int) -> None:
    [found] = report(f"status/{REFERENCE}", MessageStatus=reported, ErrorCode="30003")

    assert (found.status, found.error_code) == (status, code)
    assert (found.reference, found.provider_id, found.recipient) == (REFERENCE, None, None)


def test_a_status_without_reference_names_the_providers_sid() -> None:
    [found] = report(MessageStatus="sent")

    assert (found.reference, found.provider_id) == (None, "SM9")


@pytest.mark.parametrize("reported", ["accepted", "queued", "sending", "scheduled", "unheard-of"])
def test_a_status_before_sent_is_acknowledged_without_a_report(reported: str) -> None:
    assert report(MessageStatus=reported) == ()


@pytest.mark.parametrize("code", ["", "x", "0", "-5", "1e9", "100000"])
def test_an_error_without_a_usable_code_is_30008(code: str) -> None:
    [found] = report(MessageStatus="undelivered", ErrorCode=code)

    assert found.error_code == 30008


def test_a_report_names_the_member_if_groups_are_sent() -> None:
    request = make_callback("status", urlencode(STATUS).encode())

    [found] = read(request, sends_groups=True, **UNSIGNED).reports

    assert found.recipient == PHONE


def test_an_inbound_text_becomes_a_message_and_gets_an_empty_reply() -> None:
    request = make_callback("inbound", urlencode(INBOUND).encode())

    callback = read(request, **UNSIGNED)

    assert callback.inbound == (InboundMessage("SM1", "sms", PHONE, PROXY, (), "Hi"),)
    assert callback.response.status == 200
    assert callback.response.content_type == "text/xml"
    assert callback.response.body == b"<Response></Response>"


def test_inbound_media_are_left_where_the_provider_keeps_them() -> None:
    message = inbound(
        {
            "Body": "",
            "NumMedia": "2",
            "MediaUrl0": "https://api.example.com/1",
            "MediaContentType0": "image/png",
            "MediaUrl1": "https://api.example.com/2",
            "MediaUrl2": "https://api.example.com/not-counted",
        }
    )

    assert message.body is None
    assert message.media == (
        InboundMedium("image/png", None, None, "https://api.example.com/1"),
        InboundMedium("application/octet-stream", None, None, "https://api.example.com/2"),
    )


def test_other_recipients_are_the_group() -> None:
    message = inbound({"OtherRecipients0": "+15550000001", "OtherRecipients1": "+15550000002"})

    assert message.group == ("+15550000001", "+15550000002")


def test_a_whatsapp_message_has_its_profile_and_metadata() -> None:
    message = inbound(
        {
            "From": "WhatsApp:" + PHONE,
            "To": "whatsapp:" + PROXY,
            "ProfileName": "Ann",
            "WaId": "15558675310",
        }
    )

    assert (message.channel, message.sender) == ("whatsapp", "whatsapp:" + PHONE)
    assert message.profile_name == "Ann"
    assert message.metadata == {"context": {"ProfileName": "Ann", "WaId": "15558675310"}}


def test_a_text_message_has_no_metadata() -> None:
    assert inbound({"ProfileName": "Ann"}).metadata is None


def test_metadata_that_the_provider_sends_as_json_are_kept() -> None:
    sent = {"type": "whatsapp", "data": {"context": {"WaId": "1", "New": [1]}}}
    addresses = {"From": "whatsapp:" + PHONE, "To": "whatsapp:" + PROXY}

    message = inbound(addresses | {"ChannelMetadata": json.dumps(sent)})

    assert message.metadata == sent["data"]
    for malformed in ("{", "[" * 10_000):
        assert inbound(addresses | {"ChannelMetadata": malformed}).metadata is None


def test_a_location_becomes_text() -> None:
    message = inbound({"Body": "", "Latitude": "52.5", "Longitude": "13.4", "Label": "Gate"})

    assert message.body == "Gate (52.5, 13.4)"


@pytest.mark.parametrize(
    ("channel", "sender", "receiver"),
    [
        ("messenger", "messenger:4711", "messenger:812"),
        ("rcs", "rcs:" + PHONE, "rcs:agent_x"),
        ("sms", "12345", PROXY),
    ],
)
def test_the_channel_is_that_of_the_addresses(channel: str, sender: str, receiver: str) -> None:
    message = inbound({"From": sender, "To": receiver})

    assert (message.channel, message.sender, message.receiver) == (channel, sender, receiver)


@given(
    body=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    group=st.lists(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"), max_size=4),
    urls=st.lists(st.text("abc/:?&=+%", min_size=1), max_size=4),
)
def test_a_built_callback_parses_to_its_parts(body: str, group: list[str], urls: list[str]) -> None:
    fields = {f"OtherRecipients{index}": number for index, number in enumerate(group)}
    fields |= {f"MediaUrl{index}": url for index, url in enumerate(urls)}

    message = inbound({"Body": body, "NumMedia": str(len(urls)), **fields})

    assert (message.body, list(message.group)) == (body, group)
    assert [medium.location for medium in message.media] == urls
