"""The text of a seed: JSON and YAML to the same values, and hostile documents to errors."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parlour.testmode.seeds.text import (
    content_type_of,
    json_value,
    read_document,
    write_json,
    write_yaml,
)
from parlour.testmode.seeds.variables import MissingVariables, replace_variables
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

YAML, JSON = "application/yaml", "application/json"
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
    | st.sampled_from(
        ["no", "1e5", "012", "0x1", "~", "12:30", "2026-01-05", "+15550100", "<<", ""]
    )
    | st.sampled_from(["a\x85 b", "a\u2028b", " \n a", "a\r\n", "\ufeff", "# a", "a: b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc<: -#1", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_a_written_document_is_read_as_the_same_values(value: Any) -> None:
    assert read_document(write_yaml({"a": value}), YAML) == {"a": value}
    assert read_document(write_json({"a": value}), JSON) == {"a": value}


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_ascii_json_is_read_as_yaml_too(value: Any) -> None:
    # YAML does not allow all characters that JSON does, and no surrogate pairs as escapes.
    text = json.dumps([value]).replace("\x7f", "\\u007f")
    assume("\\ud8" not in text and "\\ud9" not in text and "\\uda" not in text)
    assume("\\udb" not in text)

    assert read_document(text.encode(), YAML) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z"),
        ("12:30", "12:30"),
        ("+15550100", "+15550100"),
        ("0x10", "0x10"),
        ("-12", -12),
        ("1.5e3", 1500.0),
        ("~", None),
        ("'1'", "1"),
        ("True", True),
        (".inf", ".inf"),
    ],
)
def test_plain_scalars_follow_the_core_schema_without_dates(text: str, value: Any) -> None:
    assert read_document(f"a: {text}".encode(), YAML) == {"a": value}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a: &x 1\nb: *x", "line 1: anchors and aliases are not allowed"),
        (b"a: *x", "line 1: anchors and aliases are not allowed"),
        (b"a: {<<: {b: 1}}", "line 1: merge keys are not allowed"),
        (b"a: !!python/object/apply:os.system [x]", "line 1: tags are not allowed"),
        (b"a: !!str 1", "line 1: tags are not allowed"),
        (b"- " * 100_000 + b"a", "line 1: nested deeper than 64 levels"),
        (b"[" * 100_000, "line 1: nested deeper than 64 levels"),
        (b"a: 1\nb: 2\na: 3", "line 3: the key 'a' occurs twice"),
        (b"a: 1\n--- \nb: 2", "line 2: only one document is allowed"),
        (b"[1]: 2", "line 1: a key must be a text"),
        (b"a: [1]]", "line 1: invalid YAML: "),
        (b"\xff", "a seed must be UTF-8"),
    ],
)
def test_a_hostile_or_broken_yaml_document_is_an_error_with_its_line(
    body: bytes, reason: str
) -> None:
    with pytest.raises(ApiError) as caught:
        read_document(body, YAML)

    assert caught.value.code == 20001
    assert caught.value.message.startswith(reason)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": 1, "a": 2}', "invalid JSON: the key 'a' occurs twice"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b"NaN", "invalid JSON: NaN is no number"),
        (b"1" * 5000, "invalid JSON: "),
        (b'{\n"a": }', "line 2: invalid JSON: "),
        (b"x" * (limits.SEED_BYTES_MAX + 1), f"a seed has at most {limits.SEED_BYTES_MAX} bytes"),
    ],
)
def test_a_hostile_or_broken_json_document_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_document(body, JSON)

    assert caught.value.message.startswith(reason)


def test_a_billion_laughs_take_no_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    read_document(b"a: 1", YAML)
    tracemalloc.start()

    with pytest.raises(ApiError):
        read_document("\n".join(lines).encode(), YAML)

    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1}', {"a": 1}),
        ('{"a": 1}', '{"a": 1}'),
        ('"text"', '"text"'),
        ("null", "null"),
        ("1.10", "1.10"),
        ("1e999", "1e999"),
        ("[]", []),
        ("broken", "broken"),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
    ],
)
def test_json_text_is_shown_as_a_value_unless_that_would_change_it(text: str, value: Any) -> None:
    assert json_value(text) == value


def test_the_name_of_a_file_decides_its_type() -> None:
    assert [content_type_of(name) for name in ("a.JSON", "a.yaml", "a")] == [JSON, YAML, YAML]


# --- Variables --------------------------------------------------------------------------


def test_variables_are_replaced_once() -> None:
    text = "${A} ${B_1} $A ${not one} $${A}"

    assert replace_variables(text, {"A": "${B_1}", "B_1": "b"}) == "${B_1} b $A ${not one} $${B_1}"


def test_missing_variables_are_all_named() -> None:
    with pytest.raises(MissingVariables) as caught:
        replace_variables("${A} ${B} ${C} ${B}", {"A": ""})

    assert str(caught.value) == "variables not set: B, C"
