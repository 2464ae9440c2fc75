"""Kannel's sendsms and callbacks, as its boxes sent and answered them, against a stand-in."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, quote, quote_from_bytes, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.carrier import (
    Accepted,
    CallbackRefused,
    CarrierUnavailable,
    DeliveryReport,
    InboundMessage,
    OutboundMedium,
    Rejected,
)
from parlour.channels.kannel.callbacks import read_callback
from parlour.channels.kannel.carrier import CARRIER_TYPE, Kannel
from parlour.channels.kannel.options import KannelOptions
from parlour.channels.kannel.requests import build_query
from parlour.protocol.sms_segments import split_text
from parlour.vocabulary import limits
from tests.carriers.http_carrier_setup import (
    CALLBACK_URL,
    PHONE,
    PROXY,
    REFERENCE,
    http_response,
    make_callback,
    make_carrier,
    make_message,
    with_carrier,
)

TOKEN = "token-of-callbacks"
ACCEPTED = http_response(202, "0: Accepted for delivery")
MEDIUM = OutboundMedium("ME1", "image/png", 3, "a.png", "https://chat.example.com/m/1")
ENCODINGS = {"UTF-8": "utf-8", "UTF-16BE": "utf-16-be"}


def make_options(base_url: str = "http://127.0.0.1:13013", **changes: Any) -> KannelOptions:
    values = {
        "sendsms_url": f"{base_url}/cgi-bin/sendsms",
        "username": "conv",
        "password": "p&w",
        "callback_token": TOKEN,
    }
    return KannelOptions(**(values | changes))


def submit(message: Any, *script: Any, **changes: Any) -> tuple[Any, Any]:
    return with_carrier(
        CARRIER_TYPE,
        lambda url: make_options(url, **changes),
        lambda carrier: carrier.send(message),
        *script,
    )


def sent_query(head: str) -> dict[str, str]:
    """Return the parameters of a request, once each."""
    target = head.split(" ")[1]
    assert target.startswith("/cgi-bin/sendsms?")
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


# --- Submissions --------------------------------------------------------------------------


def test_a_text_is_submitted_with_a_report_url_that_names_the_reference() -> None:
    outcome, api = submit(make_message(body="50% & more"), ACCEPTED, smsc_id="SIM")

    assert outcome == Accepted()
    assert sent_query(api.heads[0]) == {
        "username": "conv",
        "password": "p&w",
        "from": PROXY,
        "to": PHONE,
        "text": "50% & more",
        "charset": "UTF-8",
        "coding": "0",
        "smsc": "SIM",
        "dlr-mask": "31",
        "dlr-url": (f"{CALLBACK_URL}/report?token={TOKEN}&reference={REFERENCE}&type=%d&reply=%A"),
    }


def fill_in(template: str, **escapes: str) -> str:
    """Return the URL that Kannel makes of a template: ``%%`` is a percent sign."""
    filled, rest = "", template
    while rest:
        before, sign, rest = rest.partition("%")
        filled += before
        if sign:
            filled += "%" if rest[0] == "%" else quote(escapes[rest[0]], safe="")
            rest = rest[1:]
    return filled


@given(
    st.text("ab%/ ~dA", min_size=1).map(lambda text: f"https://x.example/{quote(text)}"),
    st.sampled_from([1, 2, 8, 16]),
    st.text(max_size=30),
)
def test_a_filled_in_report_url_parses_to_its_reference(url: str, kind: int, reply: str) -> None:
    reply = reply.encode("utf-8", "replace").decode()
    query = build_query(make_message(), make_options(), url)
    assert isinstance(query, list)

    filled = urlsplit(fill_in(dict(query)["dlr-url"], d=str(kind), A=reply))
    request = make_callback("report", query=filled.query, method="GET")
    [report] = read_callback(request, TOKEN).reports

    assert filled.path == urlsplit(url).path + "/report"
    assert report.reference == REFERENCE


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_coding_is_ucs_2_for_texts_beyond_gsm_7(text: str) -> None:
    query = build_query(make_message(body=text), make_options(), "")

    assert isinstance(query, list)
    is_gsm = split_text(text).encoding == "GSM-7"
    assert (dict(query)["text"], dict(query)["coding"]) == (text, "0" if is_gsm else "2")


@pytest.mark.parametrize(
    ("changes", "options", "callback_url"),
    [({}, {}, ""), ({}, {"delivery_reports": False}, CALLBACK_URL)],
)
def test_without_callbacks_no_report_is_requested(
    changes: dict[str, Any], options: dict[str, Any], callback_url: str
) -> None:
    query = build_query(make_message(), make_options(**options), callback_url)

    assert isinstance(query, list)
    assert {"dlr-mask", "dlr-url"}.isdisjoint(dict(query))


def test_media_become_links_in_the_text() -> None:
    both = build_query(make_message(media=(MEDIUM,)), make_options(), "")
    alone = build_query(make_message(body=None, media=(MEDIUM,)), make_options(), "")

    assert isinstance(both, list)
    assert isinstance(alone, list)
    assert dict(both)["text"] == f"Hello\n{MEDIUM.url}"
    assert dict(alone)["text"] == MEDIUM.url


@pytest.mark.promise("how-to/connect-kannel.md", "Group messages are rejected with 21612")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"is_group": True}, 21612),
        ({"recipients": (PHONE, PROXY)}, 21612),
        ({"sender": None}, 21606),
        ({"media": (OutboundMedium("ME1", "image/png", 3, None, ""),)}, 21612),
    ],
)
def test_a_message_that_kannel_cannot_carry_is_rejected_without_a_request(
    changes: dict[str, Any], code: int
) -> None:
    outcome, api = submit(make_message(**changes), ACCEPTED)

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry_after_seconds, api.heads) == (code, None, [])


RETRY = limits.CARRIER_RETRY_SECONDS


@pytest.mark.parametrize(
    ("status", "text", "code", "retry_seconds"),
    [
        (403, "Authorization failed for sendsms", 30008, RETRY),
        (404, "Unknown request.", 30008, RETRY),
        (503, "Temporal failure, try again later.", 30001, RETRY),
        (400, "Missing receiver number, rejected", 21211, None),
        (400, "Sender missing and no global set, rejected", 21606, None),
        (400, "Number(s) has/have been denied by white- and/or black-lists.", 30004, None),
        (400, "Something else", 30008, None),
    ],
)
def test_a_refusal_of_the_smsbox_has_a_code(
    status: int, text: str, code: int, retry_seconds: float | None
) -> None:
    outcome, _ = submit(make_message(), http_response(status, text))

    assert outcome == Rejected(code, f"status {status}: {text}", retry_seconds)


@pytest.mark.parametrize("status", [500, 502, 302])
def test_another_status_raises_carrier_unavailable(status: int) -> None:
    with pytest.raises(CarrierUnavailable, match=str(status)):
        submit(make_message(), http_response(status))


@pytest.mark.parametrize(
    ("response", "is_up"),
    [
        (http_response(400, "Missing receiver number, rejected"), True),
        (http_response(403, "Authorization failed for sendsms"), False),
        (http_response(404, "Unknown request."), False),
        (http_response(500), False),
        (ACCEPTED, False),
    ],
)
def test_the_check_submits_no_message_and_shows_a_wrong_password(
    response: bytes, is_up: bool
) -> None:
    async def check(carrier: Kannel) -> bool:
        return (await carrier.check())[0].is_up

    result, api = with_carrier(CARRIER_TYPE, make_options, check, response)

    assert result is is_up
    assert "to" not in sent_query(api.heads[0])


# --- Callbacks ----------------------------------------------------------------------------


def report(kind: str, reply: str = "", token: str = TOKEN) -> tuple[DeliveryReport, ...]:
    query = urlencode({"token": token, "reference": REFERENCE, "type": kind, "reply": reply})
    return read_callback(make_callback("report", query=query, method="GET"), token).reports


SMPP = "id:1 sub:001 dlvrd:000 submit date:2612010000 done date:2612010000 stat:{} err:001 text:"


@pytest.mark.parametrize(
    ("kind", "reply", "status", "code"),
    [
        ("1", "", "delivered", 0),
        ("1", SMPP.format("DELIVRD"), "delivered", 0),
        ("8", "ACK/", "sent", 0),
        ("12", "ACK/", "sent", 0),
        ("2", SMPP.format("UNDELIV"), "undelivered", 30005),
        ("34", SMPP.format("EXPIRED"), "undelivered", 30003),
        ("2", SMPP.format("REJECTD"), "undelivered", 30007),
        ("2", SMPP.format("DELETED"), "undelivered", 30008),
        ("2", "", "undelivered", 30008),
        ("16", "NACK/0x0000000b/Invalid Destination Address", "failed", 21211),
        ("16", "NACK/0x0000000a/Invalid Source Address", "failed", 21606),
        ("16", "NACK/0x00000058/Throttling error", "failed", 30001),
        ("16", "NACK/", "failed", 30008),
        ("16", "", "failed", 30008),
    ],
)
def test_a_report_has_the_status_and_code_of_its_type_and_reply(
    kind: str, reply: str, status: str, code: int
) -> None:
    [found] = report(kind, reply)

    assert (found.status, found.error_code, found.reference) == (status, code, REFERENCE)


def test_the_detail_of_a_report_has_no_text_of_the_message() -> None:
    [found] = report("2", SMPP.format("UNDELIV") + "My secret")

    assert found.detail.endswith("stat:UNDELIV err:001")


@pytest.mark.parametrize("kind", ["4", "32", "36", "0"])
def test_a_report_that_changes_nothing_is_acknowledged(kind: str) -> None:
    assert report(kind) == ()


def refused(path: str, query: str, method: str = "GET", body: bytes = b"") -> int:
    with pytest.raises(CallbackRefused) as caught:
        read_callback(make_callback(path, body, query=query, method=method), TOKEN)
    return caught.value.status


@pytest.mark.parametrize("token", ["", "token=", "token=wrong", f"token={TOKEN}x", "token=%FF"])
@pytest.mark.parametrize("path", ["report", "inbound"])
def test_a_wrong_token_gets_403(path: str, token: str) -> None:
    assert refused(path, f"{token}&reference=SM1&type=1&id=1&from=1234&to=1234") == 403


@pytest.mark.promise("how-to/connect-kannel.md", "Binary inbound messages are refused with 400")
@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("other", "reference=SM1&type=1", 404),
        ("report/x", "reference=SM1&type=1", 404),
        ("report", "type=1", 400),
        ("report", "reference=SM1", 400),
        ("report", "reference=SM1&type=x", 400),
        ("report", "reference=SM1&type=99999", 400),
        ("inbound", "from=1234&to=1234", 400),
        ("inbound", "id=1&to=1234", 400),
        ("inbound", "id=1&from=1234&to=nobody", 400),
        ("inbound", "id=1&from=a@example.com&to=1234", 400),
        ("inbound", "id=1&from=1234&to=1234&coding=1", 400),
        ("inbound", "id=1&from=1234&to=1234&charset=KLINGON", 400),
        ("inbound", "id=1&from=1234&to=1234&charset=UTF-8&text=%FF", 400),
        ("inbound", "id=1&from=1234&to=1234&charset=UTF-16BE&text=a", 400),
        ("report", "&".join(["a=b"] * limits.FORM_KEYS_MAX), 400),
    ],
)
def test_a_malformed_callback_gets_400_and_an_unknown_one_404(
    path: str, query: str, status: int
) -> None:
    assert refused(path, f"token={TOKEN}&{query}") == status


def inbound(body: bytes, method: str = "POST", **parameters: str) -> InboundMessage:
    query = {"token": TOKEN, "from": PHONE, "to": PROXY, "id": "9e51", "coding": "0"} | parameters
    text = urlencode(query)
    if method == "GET":
        text += "&text=" + quote_from_bytes(body)
        body = b""
    request = make_callback("inbound", body, query=text, method=method)
    [message] = read_callback(request, TOKEN).inbound
    return message


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(list(ENCODINGS)),
    st.sampled_from(["POST", "GET"]),
)
def test_an_inbound_text_is_read_in_its_character_set(text: str, charset: str, method: str) -> None:
    message = inbound(text.encode(ENCODINGS[charset]), method, charset=charset)

    assert message == InboundMessage("9e51", "sms", PHONE, PROXY, (), text)


def test_an_empty_inbound_text_has_no_body() -> None:
    assert inbound(b"").body is None


def test_an_unescaped_plus_sign_of_a_number_is_read() -> None:
    query = f"token={TOKEN}&from={PHONE}&to=12345&id=1&coding=0&charset=UTF-8"
    request = make_callback("inbound", b"Hi", query=query)

    [message] = read_callback(request, TOKEN).inbound

    assert (message.sender, message.receiver) == (PHONE, "12345")


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["report", "inbound"]))
def test_any_callback_is_read_or_refused(query: bytes, body: bytes, path: str) -> None:
    written = f"token={TOKEN}&id=1&from=1234&to=1234&" + quote_from_bytes(query, safe="=&%+")
    status = 0
    try:
        read_callback(make_callback(path, body, query=written), TOKEN)
    except CallbackRefused as error:
        status = error.status

    assert status in {0, 400}


# --- Options and media --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"sendsms_url": "127.0.0.1:13013/cgi-bin/sendsms"}, "sendsms_url"),
        ({"sendsms_url": "http://127.0.0.1/sendsms?smsc=A"}, "sendsms_url"),
        ({"sendsms_url": "http://conv:pw@127.0.0.1/sendsms"}, "sendsms_url"),
        ({"callback_token": "short"}, "callback_token"),
        ({"callback_token": "a%d" * 10}, "callback_token"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(changes: dict[str, Any], option: str) -> None:
    with pytest.raises(ValueError, match=option):
        make_carrier(CARRIER_TYPE, make_options(**changes))


def test_there_are_no_media() -> None:
    carrier = make_carrier(CARRIER_TYPE, make_options())

    with pytest.raises(CarrierUnavailable):
        asyncio.run(carrier.read_medium("http://127.0.0.1/x"))
