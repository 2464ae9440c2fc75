"""Roles: named sets of permissions, and the effect of changes on their holders."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.permissions import PERMISSIONS, RoleType
from tests.resources.participant_setup import DATE, make_role
from tests.resources.settings_setup import (
    NOWHERE,
    changes,
    logged_events,
    new_account_api,
    new_service_api,
    refuses,
)
from tests.support.polling import eventually
from tests.support.server_database import columns, connect

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

GIVEN = {
    "FriendlyName": "reader",
    "Type": "conversation",
    "Permission": ["leaveConversation", "editNotificationLevel"],
}


def make(api: Api, **form: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/Roles", {**GIVEN, **form}).expect(201)
    return made


def test_a_role_is_shown_as_it_was_made(form_api: Api, server: Server) -> None:
    answer = form_api.post("/Roles", GIVEN)
    made = answer.expect(201)
    assert list(made) == [
        "sid",
        "account_sid",
        "chat_service_sid",
        "friendly_name",
        "type",
        "permissions",
        "date_created",
        "date_updated",
        "url",
    ]
    assert re.fullmatch("RL[0-9a-f]{32}", made["sid"])
    assert made["account_sid"] == form_api.sid
    assert made["friendly_name"] == "reader"
    assert made["type"] == "conversation"
    assert made["permissions"] == ["leaveConversation", "editNotificationLevel"]
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    assert made["url"] == f"{form_api.base_url}{form_api.prefix}/Roles/{made['sid']}"
    assert form_api.get(f"/Roles/{made['sid']}").body == answer.body
    upper = "RL" + made["sid"][2:].upper()
    assert form_api.get(f"/Roles/{upper}").body == answer.body
    assert logged_events(server, made["account_sid"])[-1] == ("roleChanged", made["sid"])


def test_both_forms_show_a_role_of_the_default_service(api: Api) -> None:
    made = make(api)
    service = api.service(made["chat_service_sid"])
    there = service.get(f"/Roles/{made['sid']}").expect(200)
    assert there == {**made, "url": f"{api.base_url}{service.prefix}/Roles/{made['sid']}"}


def test_a_list_is_in_the_order_of_creation(api: Api) -> None:
    service = new_service_api(api)
    names = ["service admin", "service user", "channel admin", "channel user", "one", "two"]
    for name in names[4:]:
        make(service, FriendlyName=name)
    page = service.get("/Roles?PageSize=1000").expect(200)
    assert page["meta"]["page_size"] == 50
    assert page["meta"]["key"] == "roles"
    assert [role["friendly_name"] for role in page["roles"]] == names
    seen: list[str] = []
    url: str | None = f"{service.prefix}/Roles?PageSize=4"
    while url is not None:
        page = service.get(url).expect(200)
        seen += [role["friendly_name"] for role in page["roles"]]
        url = page["meta"]["next_page_url"]
    assert seen == names


@pytest.mark.parametrize("kind", ["service", "conversation"])
def test_every_permission_of_a_type_is_accepted(form_api: Api, kind: str) -> None:
    names = sorted(PERMISSIONS[RoleType(kind)])
    made = make(form_api, Type=kind.upper(), Permission=[*names, *names])
    assert made["type"] == kind
    assert made["permissions"] == names


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Type": "channel"}, 50105),
        ({"Permission": "sendmessage"}, 50104),
        ({"Permission": ["sendMessage", ""]}, 50104),
        ({"Permission": "createConversation"}, 50104),
        ({"Type": "service", "Permission": "sendMessage"}, 50104),
        ({"Permission": ["sendMessage"] * 101}, 50104),
        ({"FriendlyName": "x" * 257}, 50003),
        ({"FriendlyName": ""}, 20001),
        ({"Permission": ""}, 20001),
    ],
)
def test_a_bad_value_makes_no_role(form_api: Api, form: dict[str, Any], code: int) -> None:
    before = len(form_api.get("/Roles").expect(200)["roles"])
    form_api.post("/Roles", {**GIVEN, **form}).refuses(400, code)
    assert len(form_api.get("/Roles").expect(200)["roles"]) == before


@pytest.mark.parametrize("name", GIVEN)
def test_everything_is_required(form_api: Api, name: str) -> None:
    form = {key: value for key, value in GIVEN.items() if key != name}
    error = form_api.post("/Roles", form).refuses(400, 20001)
    assert error["message"] == f"Missing required parameter {name} in the post body"


def test_an_update_replaces_all_permissions(form_api: Api, server: Server) -> None:
    path = f"/Roles/{make(form_api)['sid']}"
    form = {"Permission": ["sendMessage", "sendMediaMessage"], "FriendlyName": "other"}
    changes(form_api, path, form, permissions=["sendMessage", "sendMediaMessage"])
    refuses(server, form_api, path, {"Permission": "joinConversation"}, 50104)
    refuses(server, form_api, path, {"FriendlyName": "other"}, 20001)


def test_a_deleted_role_is_not_found(form_api: Api, server: Server) -> None:
    made = make(form_api)
    path = f"/Roles/{made['sid']}"
    assert form_api.delete(path).expect(204) is None
    assert logged_events(server, made["account_sid"])[-1] == ("roleChanged", made["sid"])
    for answer in (form_api.get(path), form_api.delete(path), form_api.post(path, GIVEN)):
        answer.refuses(404, 20404)


def test_holders_of_a_deleted_role_get_the_default_of_the_service(api: Api) -> None:
    service = new_service_api(api)
    defaults = service.get("/Configuration").expect(200)
    role = make_role(service)
    conversation = service.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{conversation}/Participants"
    held = service.post(path, Identity="alice", RoleSid=role).expect(201)
    other = service.post(path, Identity="bob", RoleSid=make_role(service)).expect(201)
    assert held["role_sid"] == role
    service.delete(f"/Roles/{role}").expect(204)
    shown = service.get(f"{path}/alice").expect(200)
    assert shown == {**held, "role_sid": defaults["default_conversation_role_sid"]}
    assert service.get(f"{path}/bob").expect(200) == other


def test_users_with_a_deleted_role_get_the_default_of_the_service(api: Api) -> None:
    service = new_service_api(api)
    default = service.get("/Configuration").expect(200)["default_chat_service_role_sid"]
    role = make_role(service, "service")
    user = service.post("/Users", Identity="alice", RoleSid=role).expect(201)
    assert user["role_sid"] == role
    service.delete(f"/Roles/{role}").expect(204)
    assert service.get("/Users/alice").expect(200) == {**user, "role_sid": default}


def _copy_user(server: Server, sid: str, count: int) -> None:
    """Insert this many more users like this one: creating them one by one takes too long."""
    with closing(connect(server)) as connection, connection:
        names = columns(server, "chat_user")
        found = connection.execute("SELECT * FROM chat_user WHERE sid = ?", (sid,)).fetchone()
        places = ", ".join(f":{name}" for name in names)
        connection.executemany(
            f"INSERT INTO chat_user ({', '.join(names)}) VALUES ({places})",
            [
                dict(zip(names, found, strict=True))
                | {"sid": f"US{number:032x}", "identity": f"copy{number}"}
                for number in range(1, count + 1)
            ],
        )


def _holders(server: Server, role_sid: str) -> int:
    with closing(connect(server)) as connection:
        query = "SELECT count(*) FROM chat_user WHERE role_sid = ?"
        count: int = connection.execute(query, (role_sid,)).fetchone()[0]
        return count


def _assigned_rows(server: Server, role_sid: str) -> bool:
    """Return whether the server still has to search for holders."""
    with closing(connect(server)) as connection:
        query = "SELECT 1 FROM purge WHERE owner_sid = ?"
        return connection.execute(query, (role_sid,)).fetchone() is not None


@pytest.mark.parametrize("service_goes_too", [False, True])
def test_many_holders_get_the_default_in_the_background(
    server: Server, service_goes_too: bool
) -> None:
    own = new_account_api(server)
    service = new_service_api(own)
    default = service.get("/Configuration").expect(200)["default_chat_service_role_sid"]
    role = make_role(service, "service")
    user = service.post("/Users", Identity="alice", RoleSid=role).expect(201)
    _copy_user(server, user["sid"], 700)
    assert _holders(server, role) == 701
    service.delete(f"/Roles/{role}").expect(204)
    if service_goes_too:
        own.delete(service.prefix.removeprefix("/v1")).expect(204)
    eventually(lambda: _holders(server, role), lambda count: count == 0, seconds=20)
    eventually(lambda: _assigned_rows(server, role), lambda rows: not rows, seconds=20)
    if not service_goes_too:
        assert _holders(server, default) == 701


def test_a_default_role_cannot_be_deleted_while_it_is_one(api: Api) -> None:
    service = new_service_api(api)
    configuration = service.get("/Configuration").expect(200)
    for name in ("chat_service", "conversation", "conversation_creator"):
        sid = configuration[f"default_{name}_role_sid"]
        service.delete(f"/Roles/{sid}").refuses(409, 20409)
        service.get(f"/Roles/{sid}").expect(200)
    old = configuration["default_conversation_role_sid"]
    service.post("/Configuration", DefaultConversationRoleSid=make_role(service)).expect(200)
    service.delete(f"/Roles/{old}").expect(204)


def test_roles_of_another_service_are_not_found(
    api: Api, service_api: Api, foreign_api: Api
) -> None:
    sid = make(service_api)["sid"]
    for place in (api, foreign_api, new_service_api(api)):
        for answer in (
            place.get(f"/Roles/{sid}"),
            place.post(f"/Roles/{sid}", Permission="sendMessage"),
            place.delete(f"/Roles/{sid}"),
        ):
            answer.refuses(404, 20404)
    for text in (NOWHERE["RL"], "RL1", "reader", "CH" + sid[2:]):
        error = service_api.get(f"/Roles/{text}").refuses(404, 20404)
        path = f"{service_api.prefix.removeprefix('/v1')}/Roles/{text}"
        assert error["message"] == f"The requested resource {path} was not found"
    service_api.get(f"/Roles/{sid}").expect(200)
