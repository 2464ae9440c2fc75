"""Bodies of commands: known members are validated, and all others are ignored."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime import command_table
from parlour.realtime.bodies import (
    Members,
    json_text,
    nested,
    number_or_null,
    parse,
    text,
    texts,
)
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.forms import FormFields

MEMBERS = Members(
    {
        "text": text("Text"),
        "json": json_text("Json"),
        "number": number_or_null("Number"),
        "texts": texts("Texts", 3),
        "inside": nested({"text": text("Inside.Text"), "number": number_or_null("N")}, "Inside"),
    }
)
SIZE = 128 * 1024
MANY = [b"[" + one * (SIZE // len(one)) + b"0]" for one in (b"[],", b"{},", b'"",', b"1,")]
MANY.append(b"{" + b'"a":[],' * (SIZE // 7) + b'"b":0}')


def read(**members: Any) -> FormFields:
    return parse(json.dumps(members).encode(), MEMBERS)


@pytest.mark.parametrize(
    ("members", "form"),
    [
        ({}, {}),
        ({"unknown": [1, {}]}, {}),
        ({"text": "é"}, {"Text": ["é"]}),
        ({"text": ""}, {"Text": [""]}),
        ({"text": None, "json": None, "texts": None, "inside": None}, {}),
        ({"json": '{"a": 1}'}, {"Json": ['{"a": 1}']}),
        ({"json": {"a": [1, None]}}, {"Json": ['{"a":[1,null]}']}),
        ({"json": [1, 2]}, {"Json": ["[1,2]"]}),
        ({"number": 7}, {"Number": ["7"]}),
        ({"number": -1.5}, {"Number": ["-1.5"]}),
        ({"number": None}, {"Number": ["null"]}),
        ({"texts": ["a", "b"]}, {"Texts": ["a", "b"]}),
        ({"texts": []}, {}),
        ({"inside": {"text": "a", "x": []}}, {"Inside.Text": ["a"]}),
        ({"inside": {}}, {}),
    ],
)
def test_members_are_read(members: dict[str, Any], form: FormFields) -> None:
    assert read(**members) == form


@pytest.mark.parametrize(
    "members",
    [
        {"text": 1},
        {"text": ["a"]},
        {"text": "\0"},
        {"json": 1},
        {"json": True},
        {"number": "1"},
        {"number": True},
        {"number": []},
        {"texts": ["a"] * 4},
        {"texts": [""]},
        {"texts": [1]},
        {"texts": "a"},
        {"texts": ["a" * limits.COMMAND_LIST_BYTES_MAX]},
        {"inside": []},
        {"inside": "a"},
        {"inside": {"text": 1}},
    ],
)
@pytest.mark.promise("COMMAND_LIST_BYTES_MAX", 400)
def test_wrong_values_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        read(**members)
    assert caught.value.code in {20001, 50421}
    assert caught.value.body()["message"] != "Invalid post body."


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"{",
        b'{"unknown":}',
        b'{"unknown":01}',
        b'{"unknown":"\\q"}',
        b'{"text":"\xff"}',
        b'{"json":{"a":"\xff"}}',
        b'{"text":"\\ud800"}',
        b'{"unknown":' + b"[" * 100_000,
        b'{"json":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_rejected(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse(body, MEMBERS)
    assert caught.value.code == 20001


def peak_bytes(body: bytes, members: Members) -> int:
    tracemalloc.start()
    try:
        parse(body, members)
    except ApiError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("many", MANY, ids=["arrays", "objects", "texts", "numbers", "members"])
@pytest.mark.parametrize("member", ["unknown", "text", "json", "number", "texts", "inside"])
def test_no_objects_are_made_of_a_value_with_many(member: str, many: bytes) -> None:
    """At most some copies of its bytes: 128 KiB of empty arrays would be 3 MiB of objects."""
    body = b'{"%b":%b}' % (member.encode(), many)
    assert peak_bytes(body, MEMBERS) < 5 * len(body)
    assert peak_bytes(b'{"inside":%b}' % body, MEMBERS) < 5 * len(body)


@pytest.mark.parametrize("many", MANY, ids=["arrays", "objects", "texts", "numbers", "members"])
def test_no_command_creates_objects_for_unread_members(many: bytes) -> None:
    body = b'{"x":%b}' % many
    for command in (*command_table.CLIENT, *command_table.REGISTRATIONS):
        assert peak_bytes(body, command.members) < len(body)
