"""What channels get of a content template, and the template that a text was written from."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.resources.content_templates import store as content_template_store
from parlour.resources.content_templates.channel_rendering import (
    OutboundTemplate,
    find_approved_by_text,
    match_text,
    missing_variables,
    render_for_channel,
)
from parlour.resources.content_templates.store import ContentTemplate
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import SCOPE, Database

if TYPE_CHECKING:
    from pathlib import Path

REPLY = {"body": "Tea, {{1}}?", "actions": [{"title": "Yes", "id": "y"}]}


def template(sid: str = "HX1", **members: Any) -> ContentTemplate:
    given: dict[str, Any] = {
        "account_sid": SCOPE.account_sid,
        "sid": sid,
        "friendly_name": "tea",
        "body": "Tea, {{1}}?",
        "types": json.dumps({"twilio/quick-reply": REPLY}),
        "variables": '{"1":"Ada"}',
        "date_created": 0,
        "date_updated": 0,
    }
    return ContentTemplate(**given | members)


def approved(sid: str = "HX1", **members: Any) -> ContentTemplate:
    return template(sid, approval_name="tea_time", approval_status="approved", **members)


def rich(found: ContentTemplate) -> OutboundTemplate:
    """Return what WhatsApp gets of a template."""
    made = render_for_channel(found, "whatsapp", None).template
    assert made is not None
    return made


def test_an_approved_template_goes_to_whatsapp_by_its_name() -> None:
    text, made = render_for_channel(approved(language="fr"), "whatsapp", '{"1":"Bob"}')
    assert text == "Tea, Bob?"
    assert made is not None
    assert (made.approved_name, made.language) == ("tea_time", "fr")
    assert made.types == {"twilio/quick-reply": REPLY}
    assert made.variables == {"1": "Bob"}


@pytest.mark.parametrize("status", ["unsubmitted", "pending", "rejected"])
def test_a_template_without_approval_has_no_name_at_whatsapp(status: str) -> None:
    assert rich(approved()).approved_name == "tea_time"
    other = template(approval_name="tea_time", approval_status=status)
    assert rich(other).approved_name == ""


@pytest.mark.parametrize("channel", ["sms", "email", "messenger"])
def test_other_channels_get_plain_text_which_the_text_variant_replaces(channel: str) -> None:
    types = {"twilio/quick-reply": REPLY, "twilio/text": {"body": "Reply YES for tea, {{1}}"}}
    made = render_for_channel(approved(types=json.dumps(types)), channel, '{"1":"Bob"}')
    assert made.text == "Reply YES for tea, Bob"
    assert made.template is None


def test_a_sample_is_the_value_of_a_variable_that_was_not_sent_to_whatsapp() -> None:
    assert rich(approved()).variables == {"1": "Ada"}
    assert missing_variables(approved(), None) == []
    assert missing_variables(approved(variables=None), None) == ["1"]
    assert missing_variables(approved(variables=None), '{"1":""}') == ["1"]
    assert missing_variables(approved(variables=None), '{"1":7}') == []


def test_a_template_of_text_alone_is_a_text_variant() -> None:
    assert rich(approved(types=None)).types == {"twilio/text": {"body": "Tea, {{1}}?"}}


@pytest.mark.parametrize(
    ("text", "body", "values"),
    [
        ("Hello", "Hello", {}),
        ("Hello", "Hello!", None),
        ("Hello {{1}}", "Hello Ada", {"1": "Ada"}),
        ("Hello {{1}}", "Hello ", None),
        ("Hello {{1}}!", "Hello Ada", None),
        ("{{1}} and {{2}}", "a and b and c", {"1": "a", "2": "b and c"}),
        ("{{1}}{{2}}", "ab", {"1": "a", "2": "b"}),
        ("{{1}} is {{1}}", "x is x", {"1": "x"}),
        ("{{1}} is {{1}}", "x is y", None),
        ("{{ name }}: {{n}}.", "Ada: 1.0.", {"name": "Ada", "n": "1.0"}),
        ("Code {{1}}.", "code 1.", None),
    ],
)
def test_a_body_matches_a_text_with_values(
    text: str, body: str, values: dict[str, str] | None
) -> None:
    assert match_text(text, body) == values


LITERALS = st.text(st.sampled_from("ab .!"), max_size=4)
VALUES = st.text(st.sampled_from("abXY .!"), max_size=5)


@given(st.lists(LITERALS, min_size=1, max_size=6), st.data())
def test_a_match_always_gives_the_body_again(literals: list[str], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from("12"), min_size=len(literals) - 1))
    text = literals[0]
    for name, literal in zip(names, literals[1:], strict=False):
        text += "{{" + name + "}}" + literal
    values = {name: data.draw(VALUES, name) for name in "12"}
    body = data.draw(st.sampled_from([_filled(text, values), data.draw(VALUES)]))
    found = match_text(text, body)
    if found is not None:
        assert _filled(text, found) == body
        assert all(found.values())


@given(st.lists(st.text(st.sampled_from("ab .!"), min_size=1, max_size=4), min_size=2, max_size=6))
def test_values_without_characters_of_the_text_are_always_found(literals: list[str]) -> None:
    values = {str(number): f"V{number}" for number in range(1, len(literals))}
    text = literals[0] + "".join(
        "{{" + name + "}}" + literal for name, literal in zip(values, literals[1:], strict=True)
    )
    assert match_text(text, _filled(text, values)) == values


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def test_the_approved_template_of_a_text_is_found_in_its_account_only(tmp_path: Path) -> None:
    async def run() -> None:
        database = Database(tmp_path / "data.db")
        await database.store.start()
        insert = content_template_store.insert_content_template
        await database.write(insert, SCOPE, template("HX0"))
        await database.write(insert, SCOPE, approved("HX1"))
        await database.write(insert, SCOPE, approved("HX2", body="Bye {{1}}" + "x" * 9000))
        found = await database.read(find_approved_by_text, SCOPE, "Tea, Bob?")
        assert found is not None
        assert (found[0].sid, found[1]) == ("HX1", {"1": "Bob"})
        assert await database.read(find_approved_by_text, SCOPE, "Tea, Bob") is None
        assert await database.read(find_approved_by_text, Scope("AC2"), "Tea, Bob?") is None
        short = await database.read(content_template_store.list_approved, SCOPE, 100)
        assert [each.sid for each in short] == ["HX1"]
        long = f"Tea, {'x' * limits.WHATSAPP_BODY_CHARS_MAX}?"
        assert await database.read(find_approved_by_text, SCOPE, long) is None
        await database.store.close()

    asyncio.run(run())


def test_one_match_reads_the_body_once_however_often_the_text_repeats_itself() -> None:
    body = "a" * limits.WHATSAPP_BODY_CHARS_MAX
    text = "{{1}}a" * 600 + "b"
    counted = _CountedText(body)
    assert match_text(text, counted) is None
    assert counted.searches <= 600
    assert match_text("{{1}}" * 700, body) is None


class _CountedText(str):
    """A text that counts its searches."""

    __slots__ = ("searches",)

    def __init__(self, _text: str) -> None:
        self.searches = 0

    def find(self, *arguments: Any) -> int:
        self.searches += 1
        return super().find(*arguments)
