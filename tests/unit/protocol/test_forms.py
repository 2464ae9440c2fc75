"""Forms, query strings and path segments."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.forms import decode_path_segment, parse_form, parse_json_fields, parse_query
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"Identity=alice", {"Identity": ["alice"]}),
        (b"Body=", {"Body": [""]}),
        (b"Body", {"Body": [""]}),
        (b"=x", {"": ["x"]}),
        (b"a=1&b=2&a=3&a=", {"a": ["1", "3", ""], "b": ["2"]}),
        (b"a=b=c", {"a": ["b=c"]}),
        (b"a=x+y%2Bz+%20", {"a": ["x y+z  "]}),
        (b"a%3Db=%26&c", {"a=b": ["&"], "c": [""]}),
        (b"a=%C3%a4%c3%A4%4a%4A", {"a": ["ääJJ"]}),
        ("a=ä%2B".encode(), {"a": ["ä+"]}),
        (b"a=1;b=2", {"a": ["1;b=2"]}),
        (b"a=%2525", {"a": ["%25"]}),
        (b"MessagingBinding.Address=%2B1555", {"MessagingBinding.Address": ["+1555"]}),
    ],
)
def test_fields_are_read_in_their_order(body: bytes, form: dict[str, list[str]]) -> None:
    assert parse_form(body) == form
    assert list(parse_query(body)) == list(form)


PIECES = st.sampled_from(
    ["a", "b", "=", "&", "+", " ", ";", "%41", "%26", "%3D", "%2B", "%01", "é"]
)


@given(st.lists(PIECES).map("".join))
def test_the_quick_parser_reads_like_the_one_for_unusual_escapes(text: str) -> None:
    # A last field with an escape that only the other one takes.
    assert parse_form(f"{text}&z=%C3%A4".encode()) == parse_form(f"{text}&z=ä".encode())


@pytest.mark.parametrize(
    "body",
    [
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%+1",
        b"a=%C3",
        b"a=%ff",
        b"a=\xff",
        b"a=\x00",
        b"a=%00",
        b"%00=a",
        b"%=a",
        b"a=%ED%A0%80",
        b"a=%c3%a4%0",
        b"a=%C0%80",
        b"a=%C3+%A4",
    ],
)
def test_bytes_that_are_no_text_are_rejected(body: bytes) -> None:
    for parse, message in (
        (parse_form, "Invalid post body."),
        (parse_query, "Invalid query string."),
    ):
        with pytest.raises(ApiError) as caught:
            parse(body)
        assert (caught.value.code, caught.value.status) == (20001, 400)
        assert caught.value.message == message


def test_the_number_of_fields_has_a_bound() -> None:
    most = b"&".join([b"a=1"] * limits.FORM_KEYS_MAX)
    assert parse_form(most) == {"a": ["1"] * limits.FORM_KEYS_MAX}
    with pytest.raises(ApiError):
        parse_form(most + b"&a=1")


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_every_form_is_read_back(fields: list[tuple[str, str]]) -> None:
    form = parse_form(urlencode(fields).encode())
    assert {name for name, _ in fields} == set(form)
    for name, texts in form.items():
        assert texts == [value for key, value in fields if key == name]


@given(st.binary())
def test_no_bytes_break_the_form_parser(body: bytes) -> None:
    try:
        form = parse_form(body)
    except ApiError as error:
        assert error.code == 20001  # noqa: PT017
    else:
        assert "\0" not in repr(form)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("alice", "alice"),
        ("", ""),
        ("whatsapp:+15550000001", "whatsapp:+15550000001"),
        ("whatsapp%3A%2B1555", "whatsapp:+1555"),
        ("a%2Fb", "a/b"),
        ("a%20b c", "a b c"),
        ("%C3%A4", "ä"),
        ("ä", "ä"),
        ("ä%c3%a4", "ää"),
        ("%2525", "%25"),
        ("100%", None),
        ("%zz", None),
        ("%FF", None),
        ("%00", None),
        ("ä%00", None),
        ("\0", None),
        ("\udcff", None),
        ("\udcff%20", None),
        ("\udcff%C3%A4", None),
    ],
)
def test_a_path_segment_is_decoded_once(raw: str, text: str | None) -> None:
    assert decode_path_segment(raw) == text


@given(TEXTS)
def test_every_path_segment_is_read_back(text: str) -> None:
    assert decode_path_segment(quote(text, safe="")) == text


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{}", {}),
        (b'{"a":"x","b":null}', {"a": ["x"]}),
        (b'{"a":" x ","b":7,"c":true}', {"a": [" x "], "b": ["7"], "c": ["true"]}),
        (b'{"a":{"b":[1, null]}}', {"a": ['{"b":[1, null]}']}),
        (b'{"a":"1","a":"2"}', {"a": ["2"]}),
        ('{"é":"\\u00e9"}'.encode(), {"é": ["é"]}),
    ],
)
def test_the_members_of_a_json_object_become_fields(
    body: bytes, fields: dict[str, list[str]]
) -> None:
    assert parse_json_fields(body) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{} {}",
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":[\xff]}',
        b'{"a":' + b"[" * 10_000 + b"}",
        b"{" + b",".join(b'"%d":1' % number for number in range(limits.FORM_KEYS_MAX + 1)) + b"}",
    ],
)
def test_a_malformed_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json_fields(body)
    assert refused.value.code == 20001
