"""Parameters that are JSON as text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol import json_parsers, parsers
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
PARSE = json_parsers.attributes(limits.CONVERSATION_ATTRIBUTES_BYTES_MAX)


def code_of(parser: parsers.Parser[object], text: str) -> int:
    """Return the code a parser rejects a text with."""
    with pytest.raises(ApiError) as caught:
        parser("Name", text)
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' {"a" : [1, 2]}\n',
        "null",
        "7",
        '"text"',
        "[]",
        '{"a":1,"a":2}',
        "1e999",
        "-" + "9" * 5000,
        r'"\ud800"',
        r'{"\udc00":"\uD83D\ude00 \\ud800 \"\uDBFF"}',
        r'"\\\ud83d"',
        '"ä\u2028"',
    ],
)
def test_json_comes_back_exactly_as_received(text: str) -> None:
    assert PARSE("Attributes", text) == text


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "{",
        "{'a':1}",
        "{a:1}",
        "[1,]",
        "{} {}",
        "NaN",
        "-Infinity",
        "01",
        "1.",
        "tru",
        '"a\tb"',
        '"\x00"',
        r'"\x"',
        r'"\ud8"',
        r'"\ud800',
        r'"\ud800" x',
        r'"\\ud800\"',
        r"\ud800",
        "\ufeff{}",
        "[" * 16_000,
        '{"a":' * 3_000,
        "[" * 8_000 + "]" * 8_000,
    ],
)
def test_invalid_json_is_rejected(text: str) -> None:
    assert code_of(PARSE, text) == 50304


def test_no_attributes_are_an_empty_object() -> None:
    assert PARSE("Attributes", "") == "{}"


def test_attributes_are_measured_in_bytes() -> None:
    parse = json_parsers.attributes(6)
    assert parse("Attributes", '"1234"') == '"1234"'
    assert parse("Attributes", '"ää"') == '"ää"'
    assert code_of(parse, '"12345"') == 50303
    assert code_of(parse, '"äää"') == 50303
    # Length is checked first: a text that is too long is not parsed.
    assert code_of(parse, "x" * 7) == 50303


def test_json_text_has_the_codes_it_is_made_with() -> None:
    parse = json_parsers.json_text(2, code_long=20001, code_bad=50527)
    assert parse("Name", "{}") == "{}"
    assert code_of(parse, "{ }") == 20001
    assert code_of(parse, "") == 50527


@given(ANY_JSON, st.booleans())
def test_all_json_is_accepted(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert json_parsers.attributes(10**6)("Attributes", text) == text


@given(st.text())
def test_attributes_agree_with_another_parser(text: str) -> None:
    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=no_constant)
        expected = True
    except (ValueError, RecursionError):
        expected = text == ""
    try:
        PARSE("Attributes", text)
        accepted = True
    except ApiError:
        accepted = False
    assert accepted is expected


@pytest.mark.parametrize("text", ["{}", '{"1":"Joe","2":7,"c":true,"d":1.5}', ' {"a" : ""}'])
def test_content_variables_come_back_exactly_as_received(text: str) -> None:
    assert json_parsers.content_variables()("ContentVariables", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "null",
        "{",
        '{"a":null}',
        '{"a":[]}',
        '{"a":{}}',
        '{"a":' * 1000,
        r'{"a":"\ud800"}',
    ],
)
def test_other_content_variables_are_refused(text: str) -> None:
    assert code_of(json_parsers.content_variables(), text) == 50527


def test_content_variables_have_bounds() -> None:
    parse = json_parsers.content_variables()
    most = json.dumps({str(number): "x" for number in range(100)})
    assert parse("ContentVariables", most) == most
    assert code_of(parse, json.dumps({str(number): "x" for number in range(101)})) == 50529
    widest = json.dumps({"k" * 16: "v" * 256})
    assert parse("ContentVariables", widest) == widest
    assert code_of(parse, json.dumps({"k" * 17: "v"})) == 50540
    assert code_of(parse, json.dumps({"k": "v" * 257})) == 50541
    assert code_of(parse, " " * limits.CONTENT_VARIABLES_BYTES_MAX + "{}") == 50529


def test_all_content_variables_at_full_length_fit() -> None:
    full = json.dumps({f"{number:016}": "v" * 256 for number in range(100)})
    assert json_parsers.content_variables()("ContentVariables", full) == full


def test_a_participant_is_read_as_an_object() -> None:
    parse = json_parsers.participant_json()
    sent = {"identity": "alice", "messaging_binding": {"address": "+15550000001"}}
    assert parse("Participant", json.dumps(sent)) == sent


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{", '{"a":' * 5000, r'{"a":"\ud800"}'])
def test_other_participants_are_refused(text: str) -> None:
    assert code_of(json_parsers.participant_json(), text) == 50424


def test_a_participant_has_a_size() -> None:
    parse = json_parsers.participant_json()
    blank = " " * (limits.PARTICIPANT_JSON_BYTES_MAX - 2)
    assert parse("Participant", blank + "{}") == {}
    assert code_of(parse, blank + " {}") == 50424
