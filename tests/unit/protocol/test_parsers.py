"""Parameters that are numbers, words, sids, URLs, and the parsers made from parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol import parsers, url_parsers
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")


def refused(parser: Callable[[str, str], T], text: str) -> ApiError:
    """Return the error a parser gives for a text."""
    with pytest.raises(ApiError) as caught:
        parser("Name", text)
    return caught.value


def test_unset_is_neither_none_nor_another_value() -> None:
    assert repr(UNSET) == "UNSET"
    assert UNSET is Unset.UNSET
    assert list(Unset) == [UNSET]


def test_an_unspecific_refusal_names_the_parameter() -> None:
    error = refused(parsers.boolean(), "yes")
    assert (error.code, error.message) == (20001, "Invalid Name.")


def test_a_specific_refusal_has_its_own_message() -> None:
    error = refused(parsers.boolean(50304), "yes")
    assert (error.code, error.message) == (50304, "Attributes not valid JSON")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("True", True), ("fAlse", False)]
)
def test_a_boolean_is_accepted_in_any_case(text: str, *, value: bool) -> None:
    assert parsers.boolean()("Name", text) is value


@pytest.mark.parametrize("text", ["", "1", "0", "yes", " true", "null", "true\n"])
def test_other_booleans_are_refused(text: str) -> None:
    assert refused(parsers.boolean(), text).status == 400


@given(st.integers(-limits.INTEGER_MAX, limits.INTEGER_MAX))
def test_every_integer_that_can_be_stored_is_read(number: int) -> None:
    parse = parsers.integer()
    assert parse("Name", str(number)) == number
    assert parse("Name", f"{number:+}") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "1.0",
        "1e3",
        "0x1",
        "--1",
        "+",
        "1_0",
        "٣",
        "null",
        str(2**63),
        "9" * 20,
        "9" * 100000,
    ],
)
def test_other_integers_are_refused(text: str) -> None:
    assert refused(parsers.integer(), text).code == 20001


def test_the_bounds_of_an_integer_are_included() -> None:
    parse = parsers.integer(50065, minimum=0, maximum=3)
    assert [parse("Name", text) for text in ("0", "3", "+3", "003", "-0")] == [0, 3, 3, 3, 0]
    assert refused(parse, "-1").code == 50065
    assert refused(parse, "4").code == 50065
    assert refused(parse, "x").code == 50065


def test_a_text_is_measured_in_characters() -> None:
    parse = parsers.text(3, 50504)
    assert parse("Name", "äöü") == "äöü"
    assert parse("Name", "") == ""
    assert refused(parse, "abcd").code == 50504
    assert refused(parsers.text(0), "a").code == 20001


def test_a_sid_comes_back_in_lower_case() -> None:
    digits = "0123456789ABCDEFabcdef0000000000"
    assert parsers.sid("RL")("RoleSid", "RL" + digits) == "RL" + digits.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RL",
        "RL" + "0" * 31,
        "RL" + "0" * 33,
        "rl" + "0" * 32,
        "CH" + "0" * 32,
        "RL" + "g" * 32,
        "RL" + "0" * 32 + "\n",
    ],
)
def test_other_sids_are_refused(text: str) -> None:
    assert refused(parsers.sid("RL"), text).code == 20001
    assert refused(parsers.sid("RL", 50109), text).code == 50109


def test_a_word_is_found_in_any_case() -> None:
    parse = parsers.enum("webhook", "onMessageAdded")
    assert parse("Name", "WEBhook") == "webhook"
    assert parse("Name", "onmessageadded") == "onMessageAdded"
    assert parsers.enum("get", "POST", upper=True)("Name", "Get") == "GET"


@pytest.mark.parametrize("text", ["", "web", "webhook ", "null", "web\u212aook", "wor\u212a"])
def test_other_words_are_refused(text: str) -> None:
    assert refused(parsers.enum("webhook", "work"), text).code == 20001
    assert refused(parsers.enum("webhook", "work", code=50364), text).code == 50364


@pytest.mark.parametrize(
    "text",
    [
        "http://a",
        "https://example.com/hook?x=1#y",
        "HTTPS://Example.COM:8443/",
        "http://user:secret@127.0.0.1:65535/path",
        "http://[::1]:8080/x",
        "https://münchen.example/ä",
        "https://a/b%20c",
        "http://a:/",
    ],
)
def test_an_absolute_url_comes_back_as_received(text: str) -> None:
    assert url_parsers.url()("Url", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "/path",
        "//example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "http:",
        "http://",
        "http:///path",
        "http://:80/",
        "http://user@/",
        "http://a b/",
        "http://a/ b",
        " http://a",
        "http://a\n",
        "http://a\t/",
        "http://a\u00a0b/",
        "http://a\x7f/",
        "http://a\\@b/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:x/",
        "http://a:-1/",
        "http://[::1/",
        "http://[x]/",
        "http://[v1.x]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://<a>/",
        "http://a%2fb/",
        "http://" + "a" * 254,
    ],
)
def test_other_urls_are_refused(text: str) -> None:
    assert refused(url_parsers.url(), text).code == 20001
    assert refused(url_parsers.url(50077), text).code == 50077


def test_a_url_has_a_length() -> None:
    longest = "http://a/" + "b" * (limits.URL_CHARS_MAX - 9)
    assert url_parsers.url()("Url", longest) == longest
    assert refused(url_parsers.url(50077), longest + "b").code == 50077
    assert refused(url_parsers.url(code_long=50372), longest + "b").code == 50372
    assert refused(url_parsers.url(chars_max=8), "http://ab").code == 20001


@given(st.text())
def test_no_text_breaks_the_url_parser(text: str) -> None:
    try:
        assert url_parsers.url()("Url", text) == text
    except ApiError as error:
        assert error.code == 20001  # noqa: PT017


@given(st.text(max_size=20))
def test_no_authority_breaks_the_url_parser(text: str) -> None:
    try:
        assert url_parsers.url()("Url", f"http://{text}/")
    except ApiError as error:
        assert error.code == 20001  # noqa: PT017


def test_null_and_nothing_are_none() -> None:
    parse = parsers.nullable(parsers.integer())
    assert parse("Name", "") is None
    assert parse("Name", "null") is None
    assert parse("Name", "7") == 7
    assert refused(parse, "NULL").code == 20001


def test_nothing_clears() -> None:
    assert parsers.clearable(url_parsers.url(), None)("Url", "") is None
    assert parsers.clearable(parsers.text(5), "x")("Name", "") == "x"
    assert parsers.clearable(parsers.text(5), "x")("Name", "null") == "null"
    assert refused(parsers.clearable(url_parsers.url(), None), "null").code == 20001
