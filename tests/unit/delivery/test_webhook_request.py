"""The request of a webhook: parameters as a form or a query, signature, idempotency token."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from parlour.delivery.webhook_request import TOKEN_HEADER, make_request, new_token
from parlour.protocol.egress_policy import EgressRefused
from parlour.vocabulary.clock import SystemRandom

PARAMETERS = {"Body": "a b&c", "AccountSid": "AC1"}
KEYS = {"auth_token": "secret", "token": "a-token", "account_sid": "AC1"}


class FixedRandom(SystemRandom):
    """Returns the same bytes."""

    def __init__(self, value: int) -> None:
        self.value = value

    def token(self, size_bytes: int) -> bytes:
        return bytes([self.value]) * size_bytes


def test_a_post_request_has_the_sorted_parameters_as_a_signed_form() -> None:
    made = make_request("POST", "http://h.test/hook?q=1", PARAMETERS, **KEYS)
    assert (made.method, made.account_sid) == ("POST", "AC1")
    assert made.url.target == "/hook?q=1"
    assert made.body == b"AccountSid=AC1&Body=a+b%26c"
    signature = made.headers["X-Twilio-Signature"]
    assert RequestValidator("secret").validate("http://h.test/hook?q=1", PARAMETERS, signature)
    assert {name: value for name, value in made.headers.items() if value != signature} == {
        TOKEN_HEADER: "a-token",
        "Accept": "*/*",
        "User-Agent": "TwilioProxy/1.1",
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }


def test_a_get_request_has_the_parameters_in_the_signed_url_and_no_body() -> None:
    made = make_request("GET", "http://h.test/hook?q=1", PARAMETERS, **KEYS)
    assert made.body == b""
    assert "Content-Type" not in made.headers
    query = made.url.target.partition("?")[2]
    assert parse_qsl(query) == [("q", "1"), ("AccountSid", "AC1"), ("Body", "a b&c")]
    sent = f"http://h.test{made.url.target}"
    signature = made.headers["X-Twilio-Signature"]
    assert RequestValidator("secret").validate(sent, {}, signature)
    assert made.headers[TOKEN_HEADER] == "a-token"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_url_that_cannot_be_requested_is_refused(method: str) -> None:
    with pytest.raises(EgressRefused):
        make_request(method, "ftp://h.test/", PARAMETERS, **KEYS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0x00, "00000000-0000-4000-8000-000000000000"),
        (0xFF, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ],
)
def test_a_token_is_a_random_uuid_of_version_4(value: int, expected: str) -> None:
    assert new_token(FixedRandom(value)) == expected
