"""Connected users are bound by what operations permit; an account is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.operations import access
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.resources.client_table import client_operations
from parlour.resources.table import operations
from tests.events.in_process_server import ACCOUNT_SID, ALICE, House, Play, player
from tests.realtime.users import (
    KEY_SID,
    NO_CONVERSATION,
    NO_MEMBER,
    NOT_PERMITTED,
    refusal,
    run_as,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import Hooks

OF_THE_API = {
    "DeleteServiceConversation",
    "UpdateServiceConversationParticipant",
    "DeleteServiceConversationParticipant",
    "UpdateServiceConversationMessage",
    "DeleteServiceConversationMessage",
    "FetchServiceConversationMessageChannelMetadata",
    "ListServiceConversationMessageReceipt",
    "FetchServiceUser",
    "UpdateServiceUser",
    "ListServiceUserConversation",
    "FetchServiceConfiguration",
}


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return player(tmp_path)


def test_users_are_permitted_a_few_operations_and_some_of_their_own() -> None:
    permitted = set(client_operations())

    assert {each for each in permitted if "Client" not in each} == OF_THE_API
    assert all(each.spec.permits is not None for each in client_operations().values())
    served = {each.operation_id for each in operations()}
    assert served & permitted == OF_THE_API


def test_an_operation_that_says_nothing_is_for_accounts_alone(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        service = {"ChatServiceSid": house.scope.service_sid, "Sid": "alice", "UserSid": "alice"}
        refused = 0
        for operation in operations():
            if operation.spec.permits is not None or "ConversationSid}" in operation.path:
                continue
            call: Call[object] = Call(
                operation=operation,
                caller=Caller(ACCOUNT_SID, KEY_SID, "alice"),
                path=service,
                resource="/",
                form={},
            )
            run = house.app.pipeline.run(call, lambda *_: b"")
            assert await refusal(run) == NOT_PERMITTED, operation.operation_id
            refused += 1
        assert refused > 60

    play(scene)


def test_an_account_takes_no_look_at_roles(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        async def looked(*_: object) -> None:
            pytest.fail("roles are looked at for an account")

        for name in (
            "check_permission",
            "membership_in",
            "require_permission",
            "require_shared_conversation",
        ):
            monkeypatch.setattr(access, name, looked)
        made = await house.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        await house.do("CreateConversationParticipant", {"Identity": "alice"}, **here)
        await house.say(made.sid, "hello", Author="alice")
        await house.do("UpdateConversationParticipant", {"Attributes": "{}"}, Sid="alice", **here)
        await house.do("UpdateUser", {"FriendlyName": "Alice"}, Sid="alice")
        await house.do("DeleteConversation", Sid=made.sid)

    play(scene)


def test_an_unknown_user_has_no_role(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        made = run_as(house, "nobody", "CreateClientConversation")
        assert await refusal(made) == NOT_PERMITTED
        await house.do("CreateUser", {"Identity": "nobody"})
        made = await run_as(house, "nobody", "CreateClientConversation")
        assert made.conversation.created_by == "nobody"

    play(scene)


def test_a_service_of_somebody_else_is_not_there(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        elsewhere = {"ChatServiceSid": "IS" + "0" * 32}
        asked = run_as(house, "alice", "CreateClientConversation", **elsewhere)
        assert await refusal(asked) == (404, 50050)

    play(scene)


def test_a_role_that_was_removed_grants_nothing_until_there_is_another(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        made = await house.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        role = await house.do(
            "CreateRole",
            {"FriendlyName": "r", "Type": "conversation", "Permission": "deleteConversation"},
        )
        member = {"Identity": "bob", "RoleSid": role.sid}
        await house.do("CreateConversationParticipant", member, **here)
        await house.do("DeleteRole", Sid=role.sid)
        asked = run_as(house, "bob", "DeleteServiceConversation", Sid=made.sid)
        assert await refusal(asked) == NOT_PERMITTED
        said = await run_as(house, "bob", "CreateClientMessage", {"Body": "still here"}, **here)
        assert said.body == "still here"

    play(scene)


def test_a_creator_who_joins_gets_the_role_of_creators(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        roles = await house.do("FetchServiceConfiguration", ChatServiceSid=house.scope.service_sid)
        made = await run_as(house, "alice", "CreateClientConversation")
        here = {"ConversationSid": made.conversation.sid}
        own = {"Identity": "alice"}
        joined = await run_as(house, "alice", "CreateClientParticipant", own, **here)
        assert joined.role_sid == roles.default_conversation_creator_role_sid
        again = run_as(house, "alice", "CreateClientParticipant", own, **here)
        assert await refusal(again) == (409, 50433)
        added = await run_as(house, "alice", "CreateClientParticipant", {"Identity": "bob"}, **here)
        assert added.role_sid == roles.default_conversation_role_sid
        await run_as(house, "alice", "DeleteServiceConversationParticipant", Sid="alice", **here)
        # What an account adds has the usual role, whoever made the conversation.
        added = await house.do("CreateConversationParticipant", own, **here)
        assert added.role_sid == roles.default_conversation_role_sid

    play(scene)


def test_a_participant_who_was_removed_sees_nothing_any_more(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        made = await house.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        await house.do("CreateConversationParticipant", {"Identity": "bob"}, **here)
        said = await run_as(house, "bob", "CreateClientMessage", {"Body": "hi"}, **here)
        assert (said.author, said.source) == ("bob", "SDK")
        await house.do("DeleteConversationParticipant", Sid="bob", **here)
        asked = run_as(house, "bob", "CreateClientMessage", {"Body": "hi"}, **here)
        assert await refusal(asked) == NO_CONVERSATION

    play(scene)


def test_a_creator_who_takes_no_part_is_told_so(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        made = await run_as(house, "alice", "CreateClientConversation")
        here = {"ConversationSid": made.conversation.sid}
        asked = run_as(house, "alice", "CreateClientMessage", {"Body": "x"}, **here)
        assert await refusal(asked) == NO_MEMBER

    play(scene)


@pytest.mark.parametrize(
    ("operation_id", "form", "path"),
    [
        ("CreateClientConversation", {"State": "inactive"}, {}),
        ("UpdateClientConversation", {"State": "closed"}, {"Sid": "own"}),
        (
            "CreateClientParticipant",
            {"Identity": "carol", "RoleSid": "RL" + "0" * 32},
            {"ConversationSid": "own"},
        ),
        (
            "UpdateServiceConversationParticipant",
            {"LastReadMessageIndex": "1"},
            {"ConversationSid": "own", "Sid": "alice"},
        ),
        ("CreateClientMessage", {"Body": "x", "Author": "bob"}, {"ConversationSid": "own"}),
        ("CreateClientMessage", {"MediaSid": "ME" + "0" * 32}, {"ConversationSid": "own"}),
        ("UpdateServiceUser", {"RoleSid": "RL" + "0" * 32}, {"Sid": "alice"}),
        (
            "UpdateClientPlace",
            {"LastReadTimestamp": "2026-01-01T00:00:00Z"},
            {"UserSid": "alice", "ConversationSid": "own"},
        ),
    ],
)
def test_what_only_an_account_may_say(
    play: Play, operation_id: str, form: dict[str, str], path: dict[str, str]
) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateConversation", {"UniqueName": "own"}, origin=ALICE)
        await house.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid="own"
        )
        assert await refusal(run_as(house, "alice", operation_id, form, **path)) == NOT_PERMITTED

    play(scene)
