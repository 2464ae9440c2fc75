"""Submissions to an HTTP provider: the form, judged by the official client, and its responses."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.http.http_client import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from parlour.channels.carrier import (
    Accepted,
    CarrierUnavailable,
    OutboundMedium,
    OutboundMessage,
    OutboundTemplate,
    Rejected,
)
from parlour.channels.http_provider.carrier import CARRIER_TYPE, HttpProvider
from parlour.channels.http_provider.options import HttpProviderOptions
from parlour.channels.http_provider.requests import build_form
from parlour.protocol.signatures import write_form
from parlour.vocabulary import limits
from tests.carriers.http_carrier_setup import (
    CALLBACK_URL,
    PHONE,
    PROXY,
    REFERENCE,
    http_response,
    make_carrier,
    make_message,
    with_carrier,
)
from tests.security.scripted_receiver import close, hang

ACCOUNT = "AC" + "9" * 32
TOKEN = "token-of-the-account"
CREATED = http_response(201, json.dumps({"sid": "SM" + "a" * 32, "status": "queued"}))
MEDIUM = OutboundMedium("ME1", "image/png", 3, "a.png", "https://chat.example.com/m/1?s=a%2Bb&e=9")
TEMPLATE = OutboundTemplate("HX" + "4" * 32, "order", "en", {}, {"1": "Ünal", "name": 'a"b'})


def make_options(base_url: str = "https://api.example.com", **changes: Any) -> HttpProviderOptions:
    values = {"base_url": base_url, "account_sid": ACCOUNT, "auth_token": TOKEN}
    return HttpProviderOptions(**(values | changes))


def submit(message: OutboundMessage, *script: Any, **changes: Any) -> tuple[Any, Any]:
    return with_carrier(
        CARRIER_TYPE,
        lambda url: make_options(url, **changes),
        lambda carrier: carrier.send(message),
        *script,
    )


class RecordingClient(HttpClient):
    """Keeps the request of the official client instead of sending it."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Response:
        names = ("params", "data", "headers", "auth")
        self.sent = {"method": method, "url": url} | dict(zip(names, arguments, strict=False))
        self.sent |= named
        return Response(201, "{}")


def ask_official_client(**parameters: Any) -> dict[str, Any]:
    recorder = RecordingClient()
    Client(ACCOUNT, TOKEN, http_client=recorder).messages.create(**parameters)
    return recorder.sent


def as_pairs(data: dict[str, Any]) -> list[tuple[str, str]]:
    lists = {name: value if isinstance(value, list) else [value] for name, value in data.items()}
    return sorted((name, str(each)) for name, values in lists.items() for each in values)


@pytest.mark.parametrize(
    ("changes", "options", "parameters"),
    [
        ({}, {}, {"body": "Hello", "from_": PROXY}),
        (
            {"body": None, "media": (MEDIUM, MEDIUM)},
            {},
            {"media_url": [MEDIUM.url, MEDIUM.url], "from_": PROXY},
        ),
        (
            {"sender": None},
            {"messaging_service_sid": "MG" + "5" * 32},
            {"body": "Hello", "messaging_service_sid": "MG" + "5" * 32},
        ),
        (
            {
                "channel": "whatsapp",
                "sender": "whatsapp:" + PROXY,
                "recipients": ("whatsapp:" + PHONE,),
                "template": TEMPLATE,
            },
            {"content_sids": {"order": "HX" + "6" * 32}},
            {
                "to": "whatsapp:" + PHONE,
                "from_": "whatsapp:" + PROXY,
                "content_sid": "HX" + "6" * 32,
                "content_variables": json.dumps(TEMPLATE.variables, ensure_ascii=False),
            },
        ),
    ],
)
def test_the_request_is_the_one_of_the_official_client(
    changes: dict[str, Any], options: dict[str, Any], parameters: dict[str, Any]
) -> None:
    expected = ask_official_client(
        **({"to": PHONE, "status_callback": f"{CALLBACK_URL}/status/{REFERENCE}"} | parameters)
    )

    outcome, api = submit(make_message(**changes), CREATED, **options)

    head, body = api.heads[0], api.bodies[0]
    assert outcome == Accepted(("SM" + "a" * 32,))
    assert sorted(parse_qsl(body.decode(), strict_parsing=True)) == as_pairs(expected["data"])
    assert head.startswith(f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n")
    assert expected["url"].endswith(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in head
    assert expected["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    credentials = base64.b64encode(":".join(expected["auth"]).encode()).decode()
    assert f"Authorization: Basic {credentials}\r\n" in head


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(
    body=_TEXT,
    sender=_TEXT,
    recipients=st.lists(_TEXT, min_size=1, max_size=4),
    urls=st.lists(_TEXT, max_size=3),
)
def test_a_built_form_parses_to_the_parts_of_the_message(
    body: str, sender: str, recipients: list[str], urls: list[str]
) -> None:
    media = tuple(OutboundMedium("ME", "image/png", 1, None, url) for url in urls)
    message = make_message(body=body, sender=sender, recipients=tuple(recipients), media=media)

    form = build_form(message, make_options(sends_groups=True), CALLBACK_URL)

    assert isinstance(form, list)
    parsed = parse_qsl(write_form(form), keep_blank_values=True, strict_parsing=True)
    assert parsed == [
        *[("To", recipient) for recipient in recipients],
        ("From", sender),
        ("Body", body),
        *[("MediaUrl", url) for url in urls],
        ("StatusCallback", f"{CALLBACK_URL}/status/{REFERENCE}"),
    ]


@pytest.mark.parametrize(
    ("changes", "options", "code"),
    [
        ({"recipients": (PHONE, "+15558675311"), "is_group": True}, {}, 21612),
        ({"sender": None}, {}, 21606),
        ({"media": (OutboundMedium("ME1", "image/png", 3, None, ""),)}, {}, 63019),
    ],
)
def test_a_message_that_the_provider_cannot_carry_is_rejected_without_a_request(
    changes: dict[str, Any], options: dict[str, Any], code: int
) -> None:
    outcome, api = submit(make_message(**changes), CREATED, **options)

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry_after_seconds, api.heads) == (code, None, [])


def test_body_and_history_of_a_mail_are_not_sent_as_media() -> None:
    body = OutboundMedium("ME2", "text/html", 3, None, "", "body")

    form = build_form(make_message(media=(MEDIUM, body)), make_options(), "")

    assert isinstance(form, list)
    assert [value for name, value in form if name == "MediaUrl"] == [MEDIUM.url]


def test_an_unknown_template_goes_as_text_by_sms_and_by_its_own_sid_elsewhere() -> None:
    sms = build_form(make_message(template=TEMPLATE), make_options(), "")
    other = build_form(make_message(template=TEMPLATE, channel="rcs"), make_options(), "")

    assert isinstance(sms, list)
    assert isinstance(other, list)
    assert ("Body", "Hello") in sms
    assert ("ContentSid", TEMPLATE.content_sid) in other
    assert "Body" not in dict(other)


@pytest.mark.parametrize(
    ("options", "callback_url", "expected"),
    [
        ({}, CALLBACK_URL, f"{CALLBACK_URL}/status/{REFERENCE}"),
        ({}, "", None),
        ({"status_callback": False}, CALLBACK_URL, None),
        (
            {
                "signature": "body-sha256",
                "signature_header": "X-Hub-Signature",
                "signature_secret": "s",
            },
            CALLBACK_URL,
            f"{CALLBACK_URL}/status",
        ),
    ],
)
def test_the_status_callback_names_the_reference_if_the_signature_covers_it(
    options: dict[str, Any], callback_url: str, expected: str | None
) -> None:
    form = build_form(make_message(), make_options(**options), callback_url)

    assert isinstance(form, list)
    assert dict(form).get("StatusCallback") == expected


def test_the_idempotency_header_has_the_reference() -> None:
    _, api = submit(make_message(), CREATED, idempotency_header="Idempotency-Key")

    assert f"Idempotency-Key: {REFERENCE}\r\n" in api.heads[0]


def test_an_api_key_replaces_the_account_in_the_credentials_only() -> None:
    _, api = submit(
        make_message(),
        CREATED,
        api_key_sid="SK1",
        api_key_secret="secret",
        signature="twilio",
        signature_secret="s",
    )

    expected = base64.b64encode(b"SK1:secret").decode()
    assert f"Authorization: Basic {expected}\r\n" in api.heads[0]
    assert f"/Accounts/{ACCOUNT}/" in api.heads[0]


# --- Responses ----------------------------------------------------------------------------


def error(status: int, code: int | str | None, **headers: str) -> bytes:
    return http_response(status, json.dumps({"code": code, "message": "Why"}), **headers)


@pytest.mark.parametrize(
    ("response", "code", "retry_seconds"),
    [
        (error(400, 21211), 21211, None),
        (error(400, 21610), 21610, None),
        (error(403, 21408), 21408, None),
        (error(400, "E17"), 30005, None),
        (error(400, None), 30008, None),
        (http_response(400, "<html>"), 30008, None),
        (http_response(422, "[1]"), 30008, None),
        (error(400, 10**9), 30008, None),
        (error(400, 21611), 30001, limits.CARRIER_RETRY_SECONDS),
        (error(401, 20003), 30008, limits.CARRIER_RETRY_SECONDS),
        (error(404, 20404), 30008, limits.CARRIER_RETRY_SECONDS),
        (error(429, 20429), 30001, limits.CARRIER_RETRY_SECONDS),
        (error(429, 20429, Retry_After="7"), 30001, 7),
        (error(429, 20429, Retry_After="soon"), 30001, limits.CARRIER_RETRY_SECONDS),
        (error(503, None, Retry_After="999999"), 30410, limits.CARRIER_RETRY_SECONDS_MAX),
        (
            http_response(201, '{"sid": "SM1", "status": "failed", "error_code": 30007}'),
            30007,
            None,
        ),
    ],
)
def test_a_rejection_has_the_code_and_the_time_of_the_response(
    response: bytes, code: int, retry_seconds: float | None
) -> None:
    outcome, _ = submit(make_message(), response, error_codes={"E17": 30005})

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry_after_seconds) == (code, retry_seconds)


@pytest.mark.parametrize(
    "response", [error(500, None), error(502, 1), error(408, 1), error(302, 1)]
)
def test_an_unknown_outcome_raises_carrier_unavailable(response: bytes) -> None:
    with pytest.raises(CarrierUnavailable, match="status"):
        submit(make_message(), response)


def test_a_long_reason_is_shortened_for_the_log() -> None:
    response = http_response(400, json.dumps({"code": 21211, "message": "a\n" * 1000}))

    outcome, _ = submit(make_message(), response)

    assert isinstance(outcome, Rejected)
    assert len(outcome.detail) == limits.CARRIER_DETAIL_CHARS_MAX
    assert "\n" not in outcome.detail


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"sid": null}', "no JSON", '{"sid": 7}', '{"status": {}}', "[" * 50_000],
)
def test_an_accepted_message_without_a_sid_has_no_provider_id(body: str) -> None:
    outcome, _ = submit(make_message(), http_response(202, body))

    assert outcome == Accepted()


def test_a_closed_connection_raises_carrier_unavailable_and_the_link_is_down() -> None:
    async def send(carrier: HttpProvider) -> bool:
        with pytest.raises(CarrierUnavailable):
            await carrier.send(make_message())
        return carrier.links()[0].is_up

    assert with_carrier(CARRIER_TYPE, make_options, send, close)[0] is False


def test_a_provider_that_does_not_answer_in_time_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CARRIER_REQUEST_MS_MAX", 50)

    with pytest.raises(CarrierUnavailable, match="timeout"):
        submit(make_message(), hang)


def test_an_endless_response_is_not_read_to_its_end() -> None:
    padding = "x" * limits.CARRIER_RESPONSE_BYTES_MAX
    long = http_response(201, json.dumps({"padding": padding, "sid": "SM1"}))

    assert submit(make_message(), long)[0] == Accepted()


@pytest.mark.parametrize(
    ("response", "is_up"),
    [(CREATED, True), (error(400, 21211), True), (error(401, 20003), False)],
)
def test_the_link_is_down_while_the_credentials_are_rejected(response: bytes, is_up: bool) -> None:
    async def send(carrier: HttpProvider) -> bool:
        await carrier.send(make_message())
        return carrier.links()[0].is_up

    assert with_carrier(CARRIER_TYPE, make_options, send, response)[0] is is_up


@pytest.mark.parametrize(("status", "is_up"), [(200, True), (401, False), (404, False)])
def test_the_check_fetches_the_account(status: int, is_up: bool) -> None:
    async def check(carrier: HttpProvider) -> bool:
        return (await carrier.check())[0].is_up

    result, api = with_carrier(CARRIER_TYPE, make_options, check, http_response(status, "{}"))

    assert result is is_up
    assert api.heads[0].startswith(f"GET /2010-04-01/Accounts/{ACCOUNT}.json HTTP/1.1\r\n")


# --- Options ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"base_url": "ftp://api.example.com"}, "base_url"),
        ({"base_url": "https://user:pw@api.example.com"}, "base_url"),
        ({"base_url": "https://api.example.com?a=b"}, "base_url"),
        ({"account_sid": "AC/../x"}, "account_sid"),
        ({"auth_token": ""}, "auth_token"),
        ({"api_key_sid": "SK1"}, "api_key"),
        ({"api_key_sid": "SK1", "api_key_secret": "s", "auth_token": ""}, "signature_secret"),
        ({"signature": "header", "signature_secret": "s"}, "signature_header"),
        ({"signature": "body-sha256", "signature_header": "X-A"}, "signature_secret"),
        ({"signature": "header", "signature_header": "a b", "signature_secret": "s"}, "signature"),
        ({"signature": "none", "signature_secret": "s"}, "signature"),
        ({"idempotency_header": "Content-Length"}, "idempotency_header"),
        ({"idempotency_header": "a:b"}, "idempotency_header"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_by_name(
    changes: dict[str, Any], option: str
) -> None:
    with pytest.raises(ValueError, match=option):
        make_carrier(CARRIER_TYPE, make_options(**changes))
