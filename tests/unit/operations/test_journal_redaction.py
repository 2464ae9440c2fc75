"""Redaction of the journal: secrets in members, texts and forms, also in cut responses."""

from __future__ import annotations

import json

import pytest

from parlour.operations.journal_redaction import (
    REDACTED,
    is_secret_parameter,
    redact_answer,
    redact_form,
    redact_header,
    redact_text,
)
from parlour.vocabulary import limits

SECRET = "0123456789abcdef0123"


def test_members_with_secrets_are_redacted_at_every_depth() -> None:
    answer = {
        "sid": "SK1",
        "keys": [{"auth_token": SECRET, "n": 1}],
        "secret": SECRET,
        "token": None,
    }
    shown = json.loads(redact_answer(json.dumps(answer).encode()))
    assert shown == {
        "sid": "SK1",
        "keys": [{"auth_token": REDACTED, "n": 1}],
        "secret": REDACTED,
        "token": None,
    }


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_response_that_is_no_whole_json_is_redacted_too(*, is_cut: bool) -> None:
    tail = "x" * limits.JOURNAL_ANSWER_BYTES_MAX if is_cut else "no JSON"
    shown = redact_answer(f'{{"secret": "{SECRET}", "text": "{tail}'.encode())
    assert SECRET.encode() not in shown
    assert REDACTED.encode() in shown
    cut_in_secret = (
        b'{"' + b"x" * (limits.JOURNAL_ANSWER_BYTES_MAX - 30) + b'","secret":"' + b"s" * 99
    )
    assert b"ssss" not in redact_answer(cut_in_secret)


def test_a_response_without_secrets_is_recorded_byte_for_byte() -> None:
    answer = b'{"friendly_name": "a  b",  "x": 1.50}'
    assert redact_answer(answer) == answer


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@example.com/a", f"https://{REDACTED}@example.com/a"),
        ("https://user:p@w@example.com/a", f"https://{REDACTED}@example.com/a"),
        (f"Authorization: Bearer {SECRET}", f"Authorization: Bearer {REDACTED}"),
        (f"Basic {SECRET}==", f"Basic {REDACTED}"),
        ("my token is eyJhbGciOi.eyJzdWIi.c2ln", f"my token is {REDACTED}"),
        ("Basic training, mail@example.com", "Basic training, mail@example.com"),
    ],
)
def test_credentials_in_texts_are_redacted(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_secret_parameters_are_redacted_and_long_values_are_cut() -> None:
    long = "x" * (limits.JOURNAL_VALUE_CHARS_MAX + 1)
    form = {
        "Declared": ["a"],
        "AuthToken": ["b"],
        "Body": [long, "https://u:p@h/"],
        "Token.Secret": ["c"],
    }
    assert redact_form(form, {"Declared"}) == {
        "Declared": [REDACTED],
        "AuthToken": [REDACTED],
        "Body": [long[:-1], f"https://{REDACTED}@h/"],
        "Token.Secret": [REDACTED],
    }


@pytest.mark.parametrize(
    "name", ["AuthToken", "ApiKey", "PrivateKey", "Certificate", "Secret", "Password"]
)
def test_the_names_of_secrets_are_recognised(name: str) -> None:
    assert is_secret_parameter(name)


@pytest.mark.parametrize("name", ["ApiKeySid", "Body", "PageToken.Sid", "TokenClock", "Keys"])
def test_other_names_are_not(name: str) -> None:
    assert not is_secret_parameter(name)


def test_a_header_is_redacted_and_cut() -> None:
    assert redact_header(f"program Bearer {SECRET}") == f"program Bearer {REDACTED}"
    assert redact_header("x" * 100_000) == "x" * limits.JOURNAL_VALUE_CHARS_MAX
    assert redact_header(None) is None
