"""The content of messages made with a template: a medium of the message, made by the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.content_templates import rendering as content_template_rendering
from parlour.resources.content_templates.store import ContentTemplate
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.resources.media_setup import MediaClient
from tests.resources.message_setup import MessageClient, execute, rows
from tests.resources.settings_setup import new_account_api
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PREFIX = "application/x-vnd.com.twilio.rich."
SIMPLE_FIRST = (
    "text",
    "media",
    "location",
    "quick-reply",
    "call-to-action",
    "list-picker",
    "card",
)
MADE = "SELECT sid, content_type, content FROM media WHERE message_sid = ?"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """A separate account."""
    api = new_account_api(server)
    yield api
    api.close()


@pytest.fixture
def conversation(server: Server, own: Api) -> MessageClient:
    """A conversation of that account."""
    made = MessageClient.make(server, own)
    assert isinstance(made, MessageClient)
    return made


def template(own: Api, types: dict[str, Any] | None = None, **form: str) -> str:
    """Create a template of these variants; return its sid."""
    if types is not None:
        form["Types"] = json.dumps({f"twilio/{name}": each for name, each in types.items()})
    made = own.post("/parlour/v1/ContentTemplates", FriendlyName="t", **form).expect(201)
    sid: str = made["sid"]
    return sid


def sent(conversation: MessageClient, sid: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Create a message with a template."""
    return conversation.post(ContentSid=sid, ContentVariables=json.dumps(variables))


def content_of(conversation: MessageClient, message: dict[str, Any]) -> tuple[str, Any]:
    """Return the type and the data of a message's one medium, as a client downloads them."""
    ((sid, content_type, _),) = rows(conversation.server, MADE, message["sid"])
    answer = shelf_of(conversation).content(sid)
    assert answer.headers["Content-Type"] == content_type
    (member,) = json.loads(answer.body).items()
    assert member[0] == "data"
    return content_type.removeprefix(PREFIX), member[1]


def shelf_of(conversation: MessageClient) -> MediaClient:
    """A client of the account for the media of the conversation's service."""
    return MediaClient.of_account(conversation.server, conversation.api, conversation.service_sid)


def test_the_content_is_a_medium_of_the_message(own: Api, conversation: MessageClient) -> None:
    message = sent(conversation, template(own, Body="Hello {{1}}"), {"1": "Ünal"})
    ((sid, _, _),) = rows(conversation.server, MADE, message["sid"])
    media_client = shelf_of(conversation)
    record = media_client.look(sid).expect(200)
    data = '{"data":{"body":"Hello Ünal"}}'.encode()
    expected = {
        "category": "body",
        "content_type": f"{PREFIX}twilio.text",
        "filename": None,
        "size": len(data),
        "message_sid": message["sid"],
        "channel_sid": conversation.sid,
        "author": None,
    }
    assert record == {**record, **expected}
    assert media_client.content(sid).body == data
    assert media_client.send_bare("GET", record["links"]["content_direct_temporary"]).body == data
    assert media_client.content(sid, Range="bytes=1-6").body == data[1:7]
    # To REST it is no attachment: the documented response has none.
    assert (message["body"], message["media"]) == ("Hello Ünal", None)
    assert conversation.read(message)["media"] is None


def test_the_most_complex_variant_is_the_content(own: Api, conversation: MessageClient) -> None:
    variants: dict[str, Any] = {}
    for name in SIMPLE_FIRST:
        # In any order of the template's members.
        lists: dict[str, Any] = {"actions": [], "items": []}
        variants = {name: {"title": name, "body": "{{x}}", **lists}, **variants}
        message = sent(conversation, template(own, variants), {"x": name})
        shown = {"title": name, "body": name, **lists}
        assert content_of(conversation, message) == (f"twilio.{name}", shown)


def test_a_body_next_to_variants_is_the_text_only(own: Api, conversation: MessageClient) -> None:
    message = sent(
        conversation, template(own, {"card": {"title": "{{1}}"}}, Body="see {{1}}"), {"1": "a"}
    )
    assert message["body"] == "see a"
    assert content_of(conversation, message) == ("twilio.card", {"title": "a"})


def test_variables_are_filled_in_as_texts(own: Api, conversation: MessageClient) -> None:
    variant = {
        "body": '{{1}}|{{ n }}|{{b}}|{{unknown}}|{{é"}}',
        "actions": [{"title": "{{1}}", "deep": [{"er": "{{1}}"}]}],
        "number": 5,
        "none": None,
    }
    hostile = '"},{"x":"\\u0041\n{{n}}</script>\u2028😀'
    values = {"1": hostile, "n": 7, "b": True, 'é"': "quoted", "unused": "{{1}}"}
    message = sent(conversation, template(own, {"quick-reply": variant}), values)
    name, data = content_of(conversation, message)
    assert name == "twilio.quick-reply"
    assert data == {
        "body": f"{hostile}|7|true|{{{{unknown}}}}|quoted",
        "actions": [{"title": hostile, "deep": [{"er": hostile}]}],
        "number": 5,
        "none": None,
    }
    assert message["body"] == data["body"]


def test_content_outlives_its_template_and_is_deleted_with_its_message(
    own: Api, conversation: MessageClient
) -> None:
    sid = template(own, Body="Hello {{1}}")
    message = sent(conversation, sid, {"1": "you"})
    own.delete(f"/parlour/v1/ContentTemplates/{sid}").expect(204)
    assert conversation.edit(message, Body="edited").expect(200)["media"] is None
    assert content_of(conversation, message) == ("twilio.text", {"body": "Hello you"})
    ((medium, _, _),) = rows(conversation.server, MADE, message["sid"])
    own.delete(f"{conversation.messages}/{message['sid']}").expect(204)
    assert shelf_of(conversation).look(medium).status == 404
    # Its row is deleted too, though there is no file to remove.
    eventually(lambda: rows(conversation.server, MADE, message["sid"]), lambda found: found == [])


@pytest.mark.promise("how-to/content-templates.md", "longer than 256 KiB, is refused with 400")
def test_content_that_becomes_too_long_is_rejected_and_leaves_nothing(
    own: Api, conversation: MessageClient
) -> None:
    places = "{{1}}" * 200
    for types in ({"text": {"body": places}}, {"card": {"title": "", "x": places * 6}}):
        form = {
            "ContentSid": template(own, types),
            "ContentVariables": json.dumps({"1": "x" * 256}),
        }
        conversation.refuses_post(form, 50504)
    sql = "SELECT COUNT(*) FROM media WHERE service_sid = ?"
    assert rows(conversation.server, sql, conversation.service_sid) == [(0,)]
    longest = "\n" * 32_768
    message = sent(conversation, template(own, Body=longest), {})
    assert content_of(conversation, message) == ("twilio.text", {"body": longest})


def test_a_phone_gets_a_text_and_no_medium(own: Api, conversation: MessageClient) -> None:
    conversation.add(
        {"MessagingBinding.Address": phone_number(), "MessagingBinding.ProxyAddress": PROXY}
    )
    message = sent(conversation, template(own, Body="Hello {{1}}"), {"1": "you"})
    conversation.settle()
    assert [each["channel_message_sid"][:2] for each in conversation.receipts(message)] == ["SM"]


def test_content_is_hidden_from_non_participants(own: Api, conversation: MessageClient) -> None:
    conversation.chat("alice")
    message = sent(conversation, template(own, Body="secret"), {})
    ((sid, _, _),) = rows(conversation.server, MADE, message["sid"])
    seen = MediaClient.of_user(conversation.server, own, conversation.service_sid, "alice").content(
        sid
    )
    assert json.loads(seen.body) == {"data": {"body": "secret"}}
    assert (
        MediaClient.of_user(conversation.server, own, conversation.service_sid, "mallory")
        .look(sid)
        .status
        == 404
    )


def test_a_null_character_is_refused(own: Api, conversation: MessageClient) -> None:
    """Both engines must store it, or both reject it."""
    form = {"ContentSid": template(own, Body="x {{1}}")}
    for variables in ('{"1":"\\u0000"}', '{"\\u0000":"1"}'):
        conversation.refuses_post(form | {"ContentVariables": variables}, 50527)
    types = {"FriendlyName": "t", "Types": '{"twilio/text":{"body":"\\u0000"}}'}
    own.post("/parlour/v1/ContentTemplates", types).refuses(400, 20001)


def test_a_form_that_clients_cannot_parse_is_hidden_from_them(
    own: Api, conversation: MessageClient
) -> None:
    """A regression: one such form made an SDK fail for all templates."""
    sid = template(own, {"text": {"body": "Hello"}})
    bad = {"twilio/call-to-action": {"body": "Buttons"}, "twilio/card": {"actions": [None]}}
    types = json.dumps({"twilio/text": {"body": "Hello"}, **bad})
    execute(conversation.server, "UPDATE content_template SET types = ? WHERE sid = ?", types, sid)
    shown = own.get(f"/parlour/v1/ContentTemplates/{sid}").expect(200)
    assert shown["variants"] == {"twilio/text": {"body": "Hello"}}
    assert content_of(conversation, sent(conversation, sid, {})) == (
        "twilio.text",
        {"body": "Hello"},
    )


def test_a_place_does_not_reach_from_one_string_into_another(
    own: Api, conversation: MessageClient
) -> None:
    """Rendering it would break the JSON that clients read."""
    variant = {"title": "t", "media": ["{{"], "z": "}}"}
    message = sent(conversation, template(own, {"card": variant}), {'"], "z": "': "x"})
    assert content_of(conversation, message) == ("twilio.card", variant)


def test_rendering_stops_early_at_the_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of a few bytes must not create megabytes that are then rejected."""
    names: list[str] = []
    unquoted = content_template_rendering._unquoted

    def counted(name: str) -> str | None:
        names.append(name)
        return unquoted(name)

    monkeypatch.setattr(content_template_rendering, "_unquoted", counted)
    types = json.dumps({"twilio/card": {"title": "", "subtitle": "{{1}}" * 6000}})
    longest = "\x01" * limits.CONTENT_VARIABLE_VALUE_CHARS_MAX
    made = ContentTemplate("AC", "HX", "name", "", types, None, 0, 0)
    with pytest.raises(ApiError, match="50504"):
        content_template_rendering.render_content(made, json.dumps({"1": longest}))
    assert len(names) <= limits.MESSAGE_CONTENT_BYTES_MAX // (6 * len(longest)) + 1
