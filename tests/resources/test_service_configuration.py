"""The configuration of a service: its default roles, and whether reachability is enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.participant_setup import make_role
from tests.resources.settings_setup import NOWHERE, changes, logged_events, new_service_api, refuses

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/Configuration"
CREATOR = "DefaultConversationCreatorRoleSid"
MEMBER = "DefaultConversationRoleSid"
USER = "DefaultChatServiceRoleSid"


@pytest.fixture
def service(api: Api) -> Api:
    return new_service_api(api)


def test_a_new_service_names_three_of_its_four_roles(service: Api) -> None:
    roles = service.get("/Roles").expect(200)["roles"]
    sids = {role["friendly_name"]: role["sid"] for role in roles}
    assert list(sids) == ["service admin", "service user", "channel admin", "channel user"]
    url = f"{service.base_url}{service.prefix}/Configuration"
    answer = service.get(PATH)
    assert answer.expect(200) == {
        "chat_service_sid": service.prefix.rpartition("/")[2],
        "default_conversation_creator_role_sid": sids["channel admin"],
        "default_conversation_role_sid": sids["channel user"],
        "default_chat_service_role_sid": sids["service user"],
        "reachability_enabled": False,
        "url": url,
        "links": {"notifications": f"{url}/Notifications", "webhooks": f"{url}/Webhooks"},
    }


def test_default_roles_apply_to_later_users(service: Api, server: Server) -> None:
    conversation = service.post("/Conversations").expect(201)
    path = f"/Conversations/{conversation['sid']}/Participants"
    earlier = service.post(path, Identity="alice").expect(201)
    member, user = make_role(service), make_role(service, "service")
    creator = make_role(service)
    changes(
        service,
        PATH,
        {CREATOR: creator, MEMBER: member, USER: user},
        default_conversation_creator_role_sid=creator,
        default_conversation_role_sid=member,
        default_chat_service_role_sid=user,
    )
    sid = service.prefix.rpartition("/")[2]
    assert logged_events(server, str(service.sid))[-1] == ("serviceChanged", sid)
    assert service.post(path, Identity="bob").expect(201)["role_sid"] == member
    assert service.get(f"{path}/alice").expect(200)["role_sid"] == earlier["role_sid"]


def test_reachability_is_a_switch(service: Api, server: Server) -> None:
    changes(service, PATH, {"ReachabilityEnabled": "TRUE"}, reachability_enabled=True)
    refuses(server, service, PATH, {"ReachabilityEnabled": "1"}, 20001)
    changes(service, PATH, {"ReachabilityEnabled": "false"}, reachability_enabled=False)


@pytest.mark.parametrize(
    ("name", "code", "wrong"),
    [(CREATOR, 50109, "service"), (MEMBER, 50109, "service"), (USER, 50102, "conversation")],
)
def test_a_role_must_be_of_the_service_and_of_its_type(
    api: Api, service: Api, server: Server, name: str, code: int, wrong: str
) -> None:
    right = "conversation" if wrong == "service" else "service"
    for sid in (
        "RL1",
        NOWHERE["RL"],
        make_role(service, wrong),
        make_role(new_service_api(api), right),
    ):
        refuses(server, service, PATH, {name: sid, "ReachabilityEnabled": "true"}, code)
    changes(service, PATH, {name: ""})


def test_it_belongs_to_a_service(api: Api, service: Api, foreign_api: Api) -> None:
    api.service(NOWHERE["IS"]).get(PATH).refuses(404, 20404)
    error = foreign_api.under(service.prefix).get(PATH).refuses(404, 20404)
    path = f"{service.prefix.removeprefix('/v1')}{PATH}"
    assert error["message"] == f"The requested resource {path} was not found"
    service.delete(PATH).refuses(405, 20004)
    changes(service, PATH, {})
