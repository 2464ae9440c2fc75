"""Every permission: rejected while no role grants it, allowed as soon as either role does.

In each trial the roles of alice hold every other permission, so that none of them can have granted
the request. The trials are derived from the vocabulary: a new permission without a trial fails
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.permissions import PERMISSIONS, Permission, RoleType
from tests.events.in_process_server import ALICE
from tests.realtime.test_commands_on_messages import seed_media

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.realtime.clients import ClientResponse, RealtimeClients, ScenarioRunner

ROBERT, OWN = "+15558675310", "+15017122661"
REFUSED = (403, 50107)
ANY_OF_OWN = {
    Permission.EDIT_OWN_MESSAGE: Permission.EDIT_ANY_MESSAGE,
    Permission.EDIT_OWN_MESSAGE_ATTRIBUTES: Permission.EDIT_ANY_MESSAGE_ATTRIBUTES,
    Permission.DELETE_OWN_MESSAGE: Permission.DELETE_ANY_MESSAGE,
    Permission.EDIT_OWN_USER_INFO: Permission.EDIT_ANY_USER_INFO,
    Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES: Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES,
}
"""A permission for any object includes the user's own."""


class SharedConversation:
    """A conversation that alice created, in which she and bob participate and have messages."""

    def __init__(self, clients: RealtimeClients) -> None:
        self.clients = clients
        self.sid = self.path = self.own = self.other = ""

    async def made(self) -> SharedConversation:
        """Start with a new conversation."""
        instance = self.clients.instance
        for identity in ("alice", "bob"):
            await self.clients.session(identity)
        self.sid = (await instance.do("CreateConversation", origin=ALICE)).sid
        self.path = f"Conversations/{self.sid}"
        for identity in ("alice", "bob"):
            await instance.do(
                "CreateConversationParticipant",
                {"Identity": identity},
                ConversationSid=self.sid,
            )
        self.own = (await instance.send_message(self.sid, "mine", Author="alice")).sid
        self.other = (await instance.send_message(self.sid, "yours", Author="bob")).sid
        return self

    async def grant(
        self, service: set[Permission], conversation: set[Permission], identity: str = "alice"
    ) -> None:
        """Assign roles with exactly these permissions to a user."""
        instance = self.clients.instance
        for kind, permissions in (("service", service), ("conversation", conversation)):
            form = {"FriendlyName": "r", "Type": kind, "Permission": sorted(permissions)}
            role = {"RoleSid": (await instance.do("CreateRole", form)).sid}
            if kind == "service":
                await instance.do("UpdateUser", role, Sid=identity)
            else:
                place = {"ConversationSid": self.sid, "Sid": identity}
                await instance.do("UpdateConversationParticipant", role, **place)

    async def post(self, path: str, body: object) -> ClientResponse:
        """Send an update of alice's."""
        return await self.clients.post("alice", path, body)

    async def delete(self, path: str) -> ClientResponse:
        """Send a removal of alice's."""
        return await self.clients.delete("alice", path)


async def add_telephone(conversation: SharedConversation) -> ClientResponse:
    binding = {"address": ROBERT, "proxy_address": OWN}
    body = {"attributes": "{}", "messaging_binding": binding}
    return await conversation.post(f"{conversation.path}/Participants", body)


async def join(conversation: SharedConversation) -> ClientResponse:
    place = {"ConversationSid": conversation.sid, "Sid": "alice"}
    await conversation.clients.instance.do("DeleteConversationParticipant", **place)
    return await conversation.post(f"{conversation.path}/Participants", {"identity": "alice"})


async def send_media(conversation: SharedConversation) -> ClientResponse:
    made = await conversation.clients.instance.do("FetchConversation", Sid=conversation.sid)
    sid = await seed_media(conversation.clients, "alice", made.sequence)
    return await conversation.post(
        f"{conversation.path}/Messages", {"media_sids": [sid], "attributes": "{}"}
    )


async def metadata(conversation: SharedConversation) -> ClientResponse:
    return await conversation.clients.get(
        "alice", f"{conversation.path}/Messages/{conversation.other}/ChannelMetadata"
    )


TRIALS: dict[Permission, Callable[[SharedConversation], Awaitable[ClientResponse]]] = {
    Permission.ADD_PARTICIPANT: lambda r: r.post(f"{r.path}/Participants", {"identity": "carol"}),
    Permission.ADD_NON_CHAT_PARTICIPANT: add_telephone,
    Permission.CREATE_CONVERSATION: lambda r: r.post("Conversations", {"attributes": "{}"}),
    Permission.JOIN_CONVERSATION: join,
    Permission.LEAVE_CONVERSATION: lambda r: r.delete(f"{r.path}/Participants/alice"),
    Permission.REMOVE_PARTICIPANT: lambda r: r.delete(f"{r.path}/Participants/bob"),
    Permission.DELETE_CONVERSATION: lambda r: r.delete(r.path),
    Permission.EDIT_CONVERSATION_NAME: lambda r: r.post(r.path, {"friendly_name": "n"}),
    Permission.EDIT_CONVERSATION_ATTRIBUTES: lambda r: r.post(r.path, {"attributes": "{}"}),
    Permission.SEND_MESSAGE: lambda r: r.post(f"{r.path}/Messages", {"body": "b"}),
    Permission.SEND_MEDIA_MESSAGE: send_media,
    Permission.EDIT_OWN_MESSAGE: lambda r: r.post(f"{r.path}/Messages/{r.own}", {"body": "b"}),
    Permission.EDIT_ANY_MESSAGE: lambda r: r.post(f"{r.path}/Messages/{r.other}", {"body": "b"}),
    Permission.EDIT_OWN_MESSAGE_ATTRIBUTES: lambda r: r.post(
        f"{r.path}/Messages/{r.own}", {"attributes": "{}"}
    ),
    Permission.EDIT_ANY_MESSAGE_ATTRIBUTES: lambda r: r.post(
        f"{r.path}/Messages/{r.other}", {"attributes": "{}"}
    ),
    Permission.DELETE_OWN_MESSAGE: lambda r: r.delete(f"{r.path}/Messages/{r.own}"),
    Permission.DELETE_ANY_MESSAGE: lambda r: r.delete(f"{r.path}/Messages/{r.other}"),
    Permission.EDIT_OWN_USER_INFO: lambda r: r.post("Users/alice", {"friendly_name": "n"}),
    Permission.EDIT_ANY_USER_INFO: lambda r: r.post("Users/bob", {"attributes": "{}"}),
    Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES: lambda r: r.post(
        f"{r.path}/Participants/alice", {"attributes": "{}"}
    ),
    Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES: lambda r: r.post(
        f"{r.path}/Participants/bob", {"attributes": "{}"}
    ),
    Permission.EDIT_NOTIFICATION_LEVEL: lambda r: r.post(
        f"MyConversations/{r.sid}", {"notification_level": "muted"}
    ),
    Permission.READ_CHANNEL_METADATA: metadata,
}


def _is_allowed(answer: ClientResponse) -> bool:
    if answer.status < 300:
        return True
    # No message has any: a user who may read it gets an empty list.
    return answer.refusal == (404, 50530)


def _all_but(kind: RoleType, *permissions: Permission) -> set[Permission]:
    return set(PERMISSIONS[kind]) - set(permissions)


def test_every_permission_is_tried() -> None:
    assert set(TRIALS) == set(Permission)


@pytest.mark.parametrize("permission", list(Permission))
def test_a_request_without_the_permission_is_rejected(
    run_scenario: ScenarioRunner, permission: Permission
) -> None:
    wider = [ANY_OF_OWN[permission]] if permission in ANY_OF_OWN else []

    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        without = [_all_but(kind, permission, *wider) for kind in RoleType]
        await conversation.grant(*without)
        # Other users may: their roles are not alice's.
        await conversation.grant(*[set(PERMISSIONS[kind]) for kind in RoleType], identity="bob")
        code = 50531 if permission is Permission.READ_CHANNEL_METADATA else 50107
        refused = await TRIALS[permission](conversation)
        assert refused.refusal == (403, code)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("permission", "kind"),
    [(permission, kind) for kind in RoleType for permission in sorted(PERMISSIONS[kind])],
)
def test_either_role_is_enough(
    run_scenario: ScenarioRunner, permission: Permission, kind: RoleType
) -> None:
    # A role needs at least one permission: here, an unrelated one.
    idle = {
        RoleType.SERVICE: Permission.CREATE_CONVERSATION,
        RoleType.CONVERSATION: Permission.LEAVE_CONVERSATION,
    }

    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        granted = {each: {permission} if each is kind else {idle[each]} for each in RoleType}
        await conversation.grant(granted[RoleType.SERVICE], granted[RoleType.CONVERSATION])
        assert _is_allowed(await TRIALS[permission](conversation))

    run_scenario(scenario)


@pytest.mark.parametrize("own", list(ANY_OF_OWN))
def test_a_permission_for_any_object_includes_ones_own(
    run_scenario: ScenarioRunner, own: Permission
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        await conversation.grant({Permission.CREATE_CONVERSATION}, {ANY_OF_OWN[own]})
        assert _is_allowed(await TRIALS[own](conversation))

    run_scenario(scenario)


@pytest.mark.parametrize("own", list(ANY_OF_OWN))
def test_a_permission_for_ones_own_excludes_other_objects(
    run_scenario: ScenarioRunner, own: Permission
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        await conversation.grant({Permission.CREATE_CONVERSATION}, {own})
        assert (await TRIALS[ANY_OF_OWN[own]](conversation)).refusal == REFUSED

    run_scenario(scenario)


def test_a_message_with_text_and_media_requires_both_permissions(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        sid = await seed_media(clients, "alice")
        body = {"body": "look", "media_sids": [sid]}
        for permission in (Permission.SEND_MESSAGE, Permission.SEND_MEDIA_MESSAGE):
            await conversation.grant({Permission.CREATE_CONVERSATION}, {permission})
            assert (
                await conversation.post(f"{conversation.path}/Messages", body)
            ).refusal == REFUSED
        both = {Permission.SEND_MESSAGE, Permission.SEND_MEDIA_MESSAGE}
        await conversation.grant({Permission.CREATE_CONVERSATION}, both)
        assert (await conversation.post(f"{conversation.path}/Messages", body)).status == 201

    run_scenario(scenario)


def test_a_change_of_two_parts_requires_both_permissions(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        name, attributes = (
            Permission.EDIT_CONVERSATION_NAME,
            Permission.EDIT_CONVERSATION_ATTRIBUTES,
        )
        body = {"friendly_name": "n", "attributes": "{}"}
        for permission in (name, attributes):
            await conversation.grant({Permission.CREATE_CONVERSATION}, {permission})
            assert (await conversation.post(conversation.path, body)).refusal == REFUSED
        # One permission from each role suffices.
        await conversation.grant({name}, {attributes})
        assert (await conversation.post(conversation.path, body)).status == 200

    run_scenario(scenario)


def test_a_role_in_one_conversation_does_not_apply_to_another(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        here, there = (
            await SharedConversation(clients).made(),
            await SharedConversation(clients).made(),
        )
        await here.grant({Permission.CREATE_CONVERSATION}, set(PERMISSIONS[RoleType.CONVERSATION]))
        await there.grant({Permission.CREATE_CONVERSATION}, {Permission.LEAVE_CONVERSATION})
        assert (await there.post(there.path, {"friendly_name": "n"})).refusal == REFUSED
        assert (await here.post(here.path, {"friendly_name": "n"})).status == 200
        # Nor about users who are no participants.
        await clients.session("dave")
        assert (await here.post("Users/dave", {"attributes": "{}"})).refusal == REFUSED
        assert (await here.post("Users/bob", {"attributes": "{}"})).status == 200
        await clients.instance.do("UpdateConversation", {"State": "closed"}, Sid=here.sid)
        assert (await here.post("Users/bob", {"attributes": "{}"})).refusal == REFUSED

    run_scenario(scenario)


def test_the_default_roles(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversation = await SharedConversation(clients).made()
        await join(conversation)  # As its creator.
        for identity, allowed in (
            ("alice", {"friendly_name": "n"}),
            ("bob", {}),
        ):
            answer = await clients.post(
                identity, conversation.path, allowed or {"friendly_name": "n"}
            )
            assert (answer.status == 200) == bool(allowed)
        message = await clients.post("bob", f"{conversation.path}/Messages", {"body": "b"})
        assert message.status == 201
        edited = await clients.post(
            "alice", f"{conversation.path}/Messages/{conversation.other}", {"body": "b"}
        )
        assert edited.status == 200
        assert (
            await clients.delete("bob", f"{conversation.path}/Messages/{conversation.own}")
        ).refusal == REFUSED
        assert (
            await clients.delete("bob", f"{conversation.path}/Messages/{conversation.other}")
        ).status == 204

    run_scenario(scenario)
