"""Content templates: stored by an account, and used for messages."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.message_setup import rows
from tests.resources.settings_setup import NOWHERE, logged_events, new_account_api
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/ContentTemplates"
GREETING = {"FriendlyName": "greeting", "Body": "Hello {{1}}, welcome to {{place}}"}


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its own templates, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def add(own: Api, **form: str) -> dict[str, Any]:
    made: dict[str, Any] = own.post(PATH, {**GREETING, **form}).expect(201)
    return made


def test_a_template_is_shown_as_clients_see_it(own: Api) -> None:
    made = add(own)
    assert re.fullmatch("HX[0-9a-f]{32}", made["sid"])
    shown = {**made, "sid": None, "date_created": None, "date_updated": None}
    assert shown == {
        "sid": None,
        "account_sid": own.sid,
        "friendly_name": "greeting",
        "variables": '{"1":"","place":""}',
        "variants": {"twilio/text": {"body": GREETING["Body"]}},
        "date_created": None,
        "date_updated": None,
        "language": "en",
        "approval": {"name": "", "category": "", "status": "unsubmitted", "rejection_reason": ""},
    }
    assert own.get(f"{PATH}/{made['sid']}").expect(200) == made


def test_templates_are_listed_and_removed(own: Api, server: Server) -> None:
    assert own.get(PATH).expect(200)["content_templates"] == []
    made = sorted((add(own, FriendlyName=name) for name in "abc"), key=lambda each: each["sid"])
    assert own.get(PATH).expect(200)["content_templates"] == made
    first = own.get(PATH, PageSize=2).expect(200)
    assert first["content_templates"] == made[:2]
    rest = own.get(first["meta"]["next_page_url"]).expect(200)
    assert rest["content_templates"] == made[2:]
    path = f"{PATH}/{made[0]['sid']}"
    own.delete(path).expect(204)
    own.get(path).refuses(404, 20404)
    own.delete(path).refuses(404, 20404)
    assert own.get(PATH).expect(200)["content_templates"] == made[1:]
    assert [sid for _, sid in logged_events(server, str(own.sid))].count(made[0]["sid"]) == 2


def test_a_message_is_made_with_a_template(own: Api) -> None:
    template = add(own)
    api = own.under("/v1")
    conversation_sid = api.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{conversation_sid}/Messages"
    variables = {"1": "Ada", "place": "the machine", "unused": "x"}
    form = {"ContentSid": template["sid"], "ContentVariables": json.dumps(variables)}
    made = api.post(path, {**form, "Body": "ignored"}).expect(201)
    assert made["body"] == "Hello Ada, welcome to the machine"
    assert (made["content_sid"], made["media"]) == (template["sid"], None)
    # A placeholder without a variable stays, and a message stays when the template is deleted.
    bare = api.post(path, ContentSid=template["sid"]).expect(201)
    assert bare["body"] == GREETING["Body"]
    own.delete(f"{PATH}/{template['sid']}").expect(204)
    assert api.get(f"{path}/{made['sid']}").expect(200) == made
    api.post(path, ContentSid=template["sid"]).refuses(400, 50526)


TYPES = {
    "twilio/quick-reply": {"body": "{{1}}?", "actions": [{"title": "Yes", "id": "y"}]},
    "twilio/card": {"title": "Tea"},
}


def test_a_template_has_forms_by_type_and_samples(own: Api) -> None:
    rich = {"Types": json.dumps(TYPES), "Variables": '{"1":"Tea"}'}
    made = own.post(PATH, FriendlyName="rich", **rich).expect(201)
    assert (made["variants"], made["variables"]) == (TYPES, '{"1":"Tea"}')
    assert own.get(f"{PATH}/{made['sid']}").expect(200) == made
    both = add(own, **rich)
    assert both["variants"] == TYPES


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (TYPES, "Ada?"),
        ({"twilio/card": {"title": "For {{1}}"}}, "For Ada"),
        ({"twilio/card": {"title": "no"}, "twilio/media": {"body": "yes"}}, "yes"),
        ({"twilio/location": {"latitude": 1, "longitude": 2}}, ""),
    ],
)
def test_a_message_has_the_text_variant(own: Api, types: dict[str, Any], text: str) -> None:
    template = own.post(PATH, FriendlyName="rich", Types=json.dumps(types)).expect(201)
    api = own.under("/v1")
    conversation_sid = api.post("/Conversations").expect(201)["sid"]
    form = {"ContentSid": template["sid"], "ContentVariables": '{"1":"Ada"}'}
    made = api.post(f"/Conversations/{conversation_sid}/Messages", form).expect(201)
    assert made["body"] == text


def test_variables_are_stored_unchanged(own: Api, server: Server) -> None:
    template = add(own)
    api = own.under("/v1")
    conversation_sid = api.post("/Conversations").expect(201)["sid"]
    form = {"ContentSid": template["sid"], "ContentVariables": ' { "1" : "Ada" } '}
    made = api.post(f"/Conversations/{conversation_sid}/Messages", form).expect(201)
    sql = "SELECT content_variables FROM message WHERE sid = ?"
    assert rows(server, sql, made["sid"]) == [(' { "1" : "Ada" } ',)]


@pytest.mark.promise("how-to/content-templates.md", "Other forms are refused with 400")
@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": ""}, 20001),
        ({"FriendlyName": "x" * 257}, 20001),
        ({"Body": ""}, 20001),
        ({"Body": "x" * 32_769}, 50504),
        ({"Types": "{"}, 20001),
        ({"Types": "{}"}, 20001),
        ({"Types": "[]"}, 20001),
        ({"Types": '{"twilio/text":"Hello"}'}, 20001),
        ({"Types": '{"twilio/carousel":{}}'}, 50542),
        ({"Types": '{"twilio/call-to-action":{"body":"x"}}'}, 20001),
        ({"Types": '{"twilio/call-to-action":{"body":"x","actions":null}}'}, 20001),
        ({"Types": '{"twilio/text":{"body":"x"},"twilio/quick-reply":{"body":"x"}}'}, 20001),
        ({"Types": '{"twilio/list-picker":{"body":"x","button":"b","items":{}}}'}, 20001),
        ({"Types": '{"twilio/list-picker":{"body":"x","button":"b","items":["a"]}}'}, 20001),
        ({"Types": '{"twilio/card":{"title":"x","actions":{"type":"URL"}}}'}, 20001),
        ({"Types": '{"twilio/card":{"title":"x","actions":[null]}}'}, 20001),
        ({"Types": '{"twilio/card":{"title":"x","media":"https://m.example"}}'}, 20001),
        ({"Types": '{"twilio/media":{"body":"x","media":[1]}}'}, 20001),
        ({"Types": '{"twilio/text":{"body":"' + "x" * 32_768 + '"}}'}, 20001),
        ({"Variables": "[]"}, 50527),
        ({"Variables": json.dumps({"x" * 17: "x"})}, 50540),
        ({"Variables": json.dumps({"1": "x" * 257})}, 50541),
    ],
)
def test_an_invalid_template_is_rejected(own: Api, form: dict[str, str], code: int) -> None:
    own.post(PATH, {**GREETING, **form}).refuses(400, code)
    assert own.get(PATH).expect(200)["content_templates"] == []


def test_an_account_has_a_bounded_number(own: Api, server: Server) -> None:
    made = add(own)
    fill = """
    INSERT INTO content_template (account_sid, sid, friendly_name, body, date_created, date_updated)
    VALUES (?, ?, 'x', 'x', 0, 0)
    """
    with closing(connect(server)) as connection, connection:
        connection.executemany(fill, ((own.sid, f"HX{number:032x}") for number in range(999)))
    own.post(PATH, GREETING).refuses(400, 20001)
    own.delete(f"{PATH}/{made['sid']}").expect(204)
    add(own)


def test_another_accounts_template_is_not_found(own: Api, server: Server) -> None:
    template = add(own)
    twin = new_account_api(server)
    twin_templates = twin.under("/parlour/v1")
    never = "HX" + "0" * 32
    there = twin_templates.get(f"{PATH}/{template['sid']}").refuses(404, 20404)
    absent = twin_templates.get(f"{PATH}/{never}").refuses(404, 20404)
    assert there["message"].replace(template["sid"], never) == absent["message"]
    twin_templates.delete(f"{PATH}/{template['sid']}").refuses(404, 20404)
    conversation_sid = twin.post("/v1/Conversations").expect(201)["sid"]
    path = f"/v1/Conversations/{conversation_sid}/Messages"
    twin.post(path, ContentSid=template["sid"]).refuses(400, 50526)
    assert twin_templates.get(PATH).expect(200)["content_templates"] == []
    twin_templates.get(f"{PATH}/{NOWHERE['SK']}").refuses(404, 20404)
    twin.close()
