"""Users: created, fetched, listed, updated and deleted, by sid and by identity."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.participant_setup import DATE, make_role
from tests.resources.unique_names import unique
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server_database import connect, seed_push_binding

if TYPE_CHECKING:
    import sqlite3

    from tests.support.server import Server

KEYS = [
    "sid", "account_sid", "chat_service_sid", "role_sid", "identity", "friendly_name",
    "attributes", "is_online", "is_notifiable", "date_created", "date_updated", "url", "links",
]  # fmt: skip


def make_user(api: Api, **form: str) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/Users", {"Identity": unique("user"), **form}).expect(201)
    return made


def events_of(server: Server, subject_sid: str) -> list[tuple[str, bool]]:
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT name, fires FROM event WHERE subject_sid = ? ORDER BY sequence", (subject_sid,)
        ).fetchall()
    return [(name, bool(fires)) for name, fires in rows]


def service_of(api: Api, user: dict[str, Any]) -> Api:
    return api.under("/v1").service(user["chat_service_sid"])


def test_a_user_is_shown_with_every_key_in_order(form_api: Api) -> None:
    identity = unique("alice")
    made = form_api.post("/Users", Identity=identity).expect(201)
    assert list(made) == KEYS
    assert made["sid"].startswith("US")
    assert made["account_sid"] == form_api.sid
    assert (made["identity"], made["friendly_name"]) == (identity, None)
    assert (made["attributes"], made["is_online"], made["is_notifiable"]) == ("{}", None, None)
    settings = service_of(form_api, made).get("/Configuration").expect(200)
    assert made["role_sid"] == settings["default_chat_service_role_sid"]
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    assert made["url"] == f"{form_api.base_url}{form_api.prefix}/Users/{made['sid']}"
    assert made["links"] == {"user_conversations": f"{made['url']}/Conversations"}


def test_all_parameters_are_stored(form_api: Api) -> None:
    role_sid = make_role(form_api, "service")
    text = ' {"duty": "tech", "n": [1, 2.50]} '
    made = make_user(form_api, FriendlyName="Ä" * 256, Attributes=text, RoleSid=role_sid)
    assert (made["friendly_name"], made["attributes"]) == ("Ä" * 256, text)
    assert made["role_sid"] == role_sid
    assert form_api.get(f"/Users/{made['sid']}").expect(200) == made


@pytest.mark.parametrize("identity", ["erin@example.com", "a b", "Zoë/ü", "x+y", "%41", "IS"])
def test_an_identity_finds_its_user_raw_and_encoded(form_api: Api, identity: str) -> None:
    identity = unique(identity)
    made = form_api.post("/Users", Identity=identity).expect(201)
    encoded = f"/Users/{quote(identity, safe='')}"
    assert form_api.get(encoded).expect(200) == made
    if not set(identity) & set("%/"):
        assert form_api.get(f"/Users/{identity}").expect(200) == made
    assert form_api.get(f"/Users/US{made['sid'][2:].upper()}").expect(200) == made


def test_identities_differ_by_case(form_api: Api) -> None:
    identity = unique("bob")
    first = form_api.post("/Users", Identity=identity).expect(201)
    second = form_api.post("/Users", Identity=identity.upper()).expect(201)
    assert first["sid"] != second["sid"]
    assert form_api.get(f"/Users/{identity.upper()}").expect(200) == second


def test_an_identity_has_one_user_in_a_service(form_api: Api) -> None:
    made = make_user(form_api)
    error = form_api.post("/Users", Identity=made["identity"]).refuses(409, 50201)
    assert error["message"] == "User already exists"


def test_services_do_not_share_users(api: Api, service_api: Api) -> None:
    made = make_user(api)
    path = f"/Users/{made['identity']}"
    service_api.get(path).refuses(404, 20404)
    service_api.get(f"/Users/{made['sid']}").refuses(404, 20404)
    other = service_api.post("/Users", Identity=made["identity"]).expect(201)
    assert other["sid"] != made["sid"]


def test_a_foreign_user_looks_like_a_missing_one(api: Api, foreign_api: Api) -> None:
    made = make_user(api)
    for path in (f"/Users/{made['sid']}", f"/Users/{made['identity']}", "/Users/US" + "0" * 32):
        error = foreign_api.get(path).refuses(404, 20404)
        assert error["message"] == f"The requested resource {path} was not found"
        foreign_api.post(path, FriendlyName="x").refuses(404, 20404)
        foreign_api.delete(path).refuses(404, 20404)
    assert api.get(f"/Users/{made['sid']}").expect(200) == made


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 20001),
        ({"Identity": ""}, 20001),
        ({"Identity": "x" * 257}, 50207),
        ({"Identity": "system"}, 50203),
        ({"Identity": "US" + "aB" * 16}, 50206),
        ({"Identity": "new", "FriendlyName": "x" * 257}, 50003),
        ({"Identity": "new", "Attributes": "{"}, 50304),
        ({"Identity": "new", "Attributes": '"' + "x" * 16383 + '"'}, 50303),
        ({"Identity": "new", "RoleSid": "RL1"}, 50102),
        ({"Identity": "new", "RoleSid": "RL" + "0" * 32}, 50102),
    ],
)
def test_a_bad_user_is_refused(form_api: Api, form: dict[str, str], code: int) -> None:
    form_api.post("/Users", form).refuses(400, code)
    form_api.get("/Users/new").refuses(404, 20404)


def test_the_missing_identity_is_named(api: Api) -> None:
    error = api.post("/Users").refuses(400, 20001)
    assert error["message"] == "Missing required parameter Identity in the post body"


def test_the_longest_values_are_accepted(form_api: Api) -> None:
    identity = unique("ü").ljust(256, "ü")
    attributes = '"' + "x" * 16382 + '"'
    made = form_api.post("/Users", Identity=identity, Attributes=attributes).expect(201)
    assert (made["identity"], made["attributes"]) == (identity, attributes)


def test_a_role_of_conversations_or_of_elsewhere_is_refused(form_api: Api) -> None:
    elsewhere = form_api.under("/v1").post("/Services", FriendlyName="x").expect(201)["sid"]
    user = make_user(form_api)
    for role_sid in (
        make_role(form_api),
        make_role(form_api.service(elsewhere), "service"),
    ):
        form_api.post("/Users", Identity=unique("x"), RoleSid=role_sid).refuses(400, 50102)
        form_api.post(f"/Users/{user['sid']}", RoleSid=role_sid).refuses(400, 50102)
    assert form_api.get(f"/Users/{user['sid']}").expect(200) == user


# --- Update


def test_an_update_changes_only_the_given_parameters(form_api: Api) -> None:
    role_sid = make_role(form_api, "service")
    user = make_user(form_api, FriendlyName="A", Attributes='{"a":1}')
    path = f"/Users/{user['identity']}"
    for form, expected in (
        ({"FriendlyName": "B"}, {"friendly_name": "B"}),
        ({"Attributes": "[1]"}, {"attributes": "[1]"}),
        ({"Attributes": ""}, {"attributes": "{}"}),
        ({"FriendlyName": ""}, {}),
        ({"RoleSid": role_sid}, {"role_sid": role_sid}),
        ({"RoleSid": ""}, {}),
    ):
        before = form_api.get(path).expect(200)
        after = form_api.post(path, form).expect(200)
        assert after == {**before, **expected, "date_updated": after["date_updated"]}
        assert list(after) == KEYS
        assert form_api.get(path).expect(200) == after


@pytest.mark.parametrize("form", [{}, {"Identity": "other"}, {"Unknown": "x"}])
def test_an_update_without_a_known_parameter_is_refused(
    form_api: Api, form: dict[str, str]
) -> None:
    user = make_user(form_api)
    form_api.post(f"/Users/{user['sid']}", form).refuses(400, 20161)
    assert form_api.get(f"/Users/{user['sid']}").expect(200) == user


def test_a_missing_user_precedes_an_invalid_parameter(form_api: Api) -> None:
    form_api.post("/Users/nobody", Attributes="{").refuses(404, 20404)
    form_api.post("/Users/nobody").refuses(404, 20404)
    form_api.request("PUT", "/Users/nobody").refuses(405, 20004)


# --- Lists


def test_users_are_listed_in_the_order_in_which_they_were_made(fresh_server: Server) -> None:
    api = Api(fresh_server.base_url, fresh_server.account_sid, fresh_server.auth_token)
    made = [make_user(api)["sid"] for _ in range(5)]
    first = api.get("/Users", PageSize=2).expect(200)
    assert first["meta"]["key"] == "users"
    second = api.get(first["meta"]["next_page_url"]).expect(200)
    third = api.get(second["meta"]["next_page_url"]).expect(200)
    found = [user["sid"] for page in (first, second, third) for user in page["users"]]
    assert found == made
    assert third["meta"]["next_page_url"] is None
    back = api.get(third["meta"]["previous_page_url"]).expect(200)
    assert back["users"] == second["users"]
    assert api.get("/Users", PageSize=1000).expect(200)["meta"]["page_size"] == 50


# --- Who is online


def set_reachability(server: Server, user: dict[str, Any], enabled: int) -> None:
    with closing(connect(server)) as connection, connection:
        connection.execute(
            "UPDATE service_configuration SET reachability_enabled = ? WHERE service_sid = ?",
            (enabled, user["chat_service_sid"]),
        )
        connection.execute(
            "UPDATE chat_user SET is_online = 1, is_notifiable = 0 WHERE sid = ?", (user["sid"],)
        )


def test_online_status_is_shown_only_where_reachability_is_enabled(
    server: Server, api: Api
) -> None:
    service = api.post("/Services", FriendlyName="Reachable").expect(201)["sid"]
    inside = api.service(service)
    user = make_user(inside)
    set_reachability(server, user, 1)
    path = f"/Users/{user['sid']}"
    shown = inside.get(path).expect(200)
    assert (shown["is_online"], shown["is_notifiable"]) == (True, False)
    changed = inside.post(path, FriendlyName="x").expect(200)
    assert (changed["is_online"], changed["is_notifiable"]) == (True, False)
    listed = inside.get("/Users").expect(200)["users"][0]
    assert (listed["is_online"], listed["is_notifiable"]) == (None, None)
    set_reachability(server, user, 0)
    for hidden in (inside.get(path), inside.post(path, FriendlyName="y")):
        body = hidden.expect(200)
        assert (body["is_online"], body["is_notifiable"]) == (None, None)


# --- Events


def test_user_webhooks_are_called_only_with_the_header(server: Server, form_api: Api) -> None:
    for value, fires in (("true", True), ("TRUE", True), ("false", False), (None, False)):
        headers = {} if value is None else {"X-Twilio-Webhook-Enabled": value}
        identity = unique("told")
        made = form_api.post("/Users", Identity=identity, headers=headers).expect(201)
        path = f"/Users/{identity}"
        form_api.post(path, FriendlyName="x", headers=headers).expect(200)
        form_api.delete(path, headers=headers).expect(204)
        names = ["onUserAdded", "onUserUpdated", "userRemoved"]
        assert events_of(server, made["sid"]) == [(name, fires) for name in names]


# --- Delete


def test_a_removed_user_is_not_found_and_can_be_created_again(form_api: Api) -> None:
    user = make_user(form_api)
    answer = form_api.delete(f"/Users/{user['identity']}")
    assert (answer.status, answer.body) == (204, b"")
    form_api.delete(f"/Users/{user['sid']}").refuses(404, 20404)
    form_api.get(f"/Users/{user['identity']}").refuses(404, 20404)
    again = form_api.post("/Users", Identity=user["identity"]).expect(201)
    assert again["sid"] != user["sid"]


def test_a_removed_user_leaves_open_and_closed_conversations(server: Server, form_api: Api) -> None:
    user = make_user(form_api)
    identity = user["identity"]
    conversations = []
    for state in ("active", "inactive", "closed"):
        made = form_api.post("/Conversations").expect(201)
        path = f"/Conversations/{made['sid']}"
        member = form_api.post(f"{path}/Participants", Identity=identity).expect(201)
        form_api.post(f"{path}/Participants", Identity="stays").expect(201)
        message = form_api.post(f"{path}/Messages", Author=identity, Body="x").expect(201)
        form_api.post(path, State=state).expect(200)
        conversations.append((path, member, message))
    header = {"X-Twilio-Webhook-Enabled": "true"}
    form_api.delete(f"/Users/{user['sid']}", headers=header).expect(204)
    for path, member, message in conversations:
        left = form_api.get(f"{path}/Participants").expect(200)["participants"]
        assert [each["identity"] for each in left] == ["stays"]
        assert form_api.get(f"{path}/Messages/{message['sid']}").expect(200) == message
        assert events_of(server, member["sid"])[-1] == ("onParticipantRemoved", True)
    found = form_api.get("/ParticipantConversations", Identity=identity).expect(200)
    assert found["conversations"] == []


def test_the_push_bindings_of_a_removed_user_go(server: Server, service_api: Api) -> None:
    user, other = make_user(service_api), make_user(service_api)
    service_sid = user["chat_service_sid"]
    assert service_api.sid is not None
    removed = seed_push_binding(server, service_api.sid, service_sid, user["identity"])
    remaining = seed_push_binding(server, service_api.sid, service_sid, other["identity"])
    service_api.delete(f"/Users/{user['sid']}").expect(204)
    service_api.get(f"/Bindings/{removed}").refuses(404, 20404)
    service_api.get(f"/Bindings/{remaining}").expect(200)


def test_a_user_leaves_a_great_many_closed_conversations_in_the_background(
    server: Server, api: Api
) -> None:
    api = api.service(api.post("/Services", FriendlyName="Old").expect(201)["sid"])
    user = make_user(api)
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}"
    member = api.post(f"{path}/Participants", Identity=user["identity"]).expect(201)
    copies = 450
    copy_closed(server, path.rsplit("/", maxsplit=1)[-1], member["sid"], copies)
    look = {"Identity": user["identity"], "PageSize": 1}
    assert len(api.get("/ParticipantConversations", look).expect(200)["conversations"]) == 1
    api.delete(f"/Users/{user['sid']}").expect(204)
    # The same identity starts as a new user, and is not affected by the remaining purge.
    again = api.post(f"{path}/Participants", Identity=user["identity"]).expect(201)
    found = eventually(
        lambda: api.get("/ParticipantConversations", Identity=user["identity"]).json,
        lambda page: len(page["conversations"]) == 1,
    )
    assert found["conversations"][0]["participant_sid"] == again["sid"]
    with closing(connect(server)) as connection:
        query = "SELECT COUNT(*) FROM event WHERE name = 'onParticipantRemoved' AND payload LIKE ?"
        event_count = connection.execute(query, (f"%{user['identity']}%",)).fetchone()
    assert event_count == (copies + 1,)


def copy_closed(server: Server, conversation_sid: str, participant_sid: str, count: int) -> None:
    """Insert this many closed conversations with the same participant, older than the first."""
    with closing(connect(server)) as connection, connection:
        for _ in range(count):
            own_sid = f"CH{secrets.token_hex(16)}"
            _copy(connection, "conversation", conversation_sid, {"sid": own_sid, "state": "closed"})
            member = {"sid": f"MB{secrets.token_hex(16)}", "conversation_sid": own_sid}
            _copy(connection, "participant", participant_sid, {**member, "is_open": 0})


def _copy(connection: sqlite3.Connection, table: str, sid: str, changes: dict[str, Any]) -> None:
    found = connection.execute(f"SELECT * FROM {table} WHERE sid = ?", (sid,))
    names = [name for name, *_ in found.description]
    row = dict(zip(names, found.fetchone(), strict=True)) | changes
    row["sequence"] -= 1
    places = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} VALUES ({places})", tuple(row.values()))


def test_attributes_may_be_any_json(form_api: Api) -> None:
    for value in ("text", 17, None, [], {"ü": "☎️"}):
        text = json.dumps(value)
        assert make_user(form_api, Attributes=text)["attributes"] == text
