"""Connected users are bound by what operations permit; an account is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.resources.table import operations
from parlour.vocabulary.errors import ApiError
from tests.events.house import ALICE, House, Play, player
from tests.realtime.people import refusal, run_as

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.hooks import Hooks

NOT_PERMITTED = (403, 50107)
NO_CONVERSATION = (404, 50350)
NO_MEMBER = (403, 50430)

FOR_USERS = {
    "CreateConversation",
    "UpdateConversation",
    "DeleteConversation",
    "CreateConversationParticipant",
    "UpdateConversationParticipant",
    "DeleteConversationParticipant",
    "CreateConversationMessage",
    "UpdateConversationMessage",
    "DeleteConversationMessage",
    "FetchConversationMessageChannelMetadata",
    "ListConversationMessageReceipt",
    "FetchUser",
    "UpdateUser",
    "ListUserConversation",
}
"""In the short form; the service form has the same."""


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return player(tmp_path)


def test_an_operation_that_says_nothing_is_for_accounts_alone() -> None:
    permitted = {each.operation_id for each in operations() if each.deed.permits is not None}

    assert permitted == FOR_USERS | {
        each.replace("Conversation", "ServiceConversation", 1)
        if "User" not in each
        else each.replace("User", "ServiceUser", 1)
        for each in FOR_USERS
    }


def test_a_user_is_refused_where_an_account_is_not(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        service = {"ChatServiceSid": house.scope.service_sid}
        for operation_id in ("ListServiceConversation", "ListServiceRole", "ListServiceBinding"):
            assert await refusal(run_as(house, "alice", operation_id)) == NOT_PERMITTED
        form = {"FriendlyName": "mine", "Type": "service", "Permission": "editAnyMessage"}
        assert await refusal(run_as(house, "alice", "CreateServiceRole", form)) == NOT_PERMITTED
        await house.do("CreateServiceRole", form, **service)

    play(scene)


def test_an_unknown_user_has_no_role(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        made = run_as(house, "nobody", "CreateServiceConversation")
        assert await refusal(made) == NOT_PERMITTED
        await house.do("CreateUser", {"Identity": "nobody"})
        made = await run_as(house, "nobody", "CreateServiceConversation")
        assert made.created_by == "nobody"

    play(scene)


def test_a_service_of_somebody_else_is_not_there(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        asked = run_as(house, "alice", "CreateServiceConversation", ChatServiceSid="IS" + "0" * 32)
        assert await refusal(asked) == (404, 50050)

    play(scene)


def test_a_foreign_conversation_looks_like_a_missing_one(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        made = await house.do("CreateConversation", {"UniqueName": "theirs"})
        said = await house.say(made.sid, "a secret")
        here = {"Sid": said.sid}
        bodies = set()
        for sid in (made.sid, "theirs", "CH" + "0" * 32, "nobody's"):
            for asked in (
                run_as(house, "alice", "UpdateServiceConversation", {"Attributes": "{}"}, Sid=sid),
                run_as(house, "alice", "DeleteServiceConversation", Sid=sid),
                run_as(
                    house,
                    "alice",
                    "CreateServiceConversationParticipant",
                    {"Identity": "alice"},
                    ConversationSid=sid,
                ),
                run_as(
                    house,
                    "alice",
                    "CreateServiceConversationMessage",
                    {"Body": "hello?"},
                    ConversationSid=sid,
                ),
                run_as(
                    house,
                    "alice",
                    "DeleteServiceConversationMessage",
                    ConversationSid=sid,
                    **here,
                ),
            ):
                with pytest.raises(ApiError) as caught:
                    await asked
                bodies.add(str(caught.value.body()))
        assert len(bodies) == 1
        assert "50350" in bodies.pop()

    play(scene)


def test_a_creator_sees_the_conversation_and_nothing_below_it(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        made = await run_as(house, "alice", "CreateServiceConversation")
        here = {"ConversationSid": made.sid}
        said = await house.say(made.sid, "hello")
        for asked in (
            run_as(house, "alice", "CreateServiceConversationMessage", {"Body": "x"}, **here),
            run_as(house, "alice", "DeleteServiceConversationMessage", Sid=said.sid, **here),
            run_as(
                house,
                "alice",
                "ListServiceConversationMessageReceipt",
                MessageSid=said.sid,
                **here,
            ),
            run_as(house, "alice", "DeleteServiceConversationParticipant", Sid="bob", **here),
        ):
            assert await refusal(asked) == NO_MEMBER

    play(scene)


def test_a_creator_who_joins_gets_the_role_of_creators(play: Play) -> None:
    async def scene(house: House, _hooks: Hooks) -> None:
        await house.do("CreateUser", {"Identity": "alice"})
        roles = await house.do("FetchServiceConfiguration", ChatServiceSid=house.scope.service_sid)
        made = await run_as(house, "alice", "CreateServiceConversation")
        here = {"ConversationSid": made.sid}
        own = {"Identity": "alice"}
        joined = await run_as(house, "alice", "CreateServiceConversationParticipant", own, **here)
        assert joined.role_sid == roles.default_conversation_creator_role_sid
        again = run_as(house, "alice", "CreateServiceConversationParticipant", own, **here)
        assert await refusal(again) == (409, 50433)
        other = {"Identity": "bob"}
        added = await run_as(house, "alice", "CreateServiceConversationParticipant", other, **here)
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
        form = {"Body": "hi"}
        said = await run_as(house, "bob", "CreateServiceConversationMessage", form, **here)
        assert (said.author, said.source) == ("bob", "SDK")
        await house.do("DeleteConversationParticipant", Sid="bob", **here)
        asked = run_as(house, "bob", "CreateServiceConversationMessage", form, **here)
        assert await refusal(asked) == NO_CONVERSATION

    play(scene)


@pytest.mark.parametrize(
    ("operation_id", "form", "path"),
    [
        ("CreateServiceConversation", {"State": "inactive"}, {}),
        ("UpdateServiceConversation", {"State": "closed"}, {"Sid": "own"}),
        (
            "CreateServiceConversationParticipant",
            {"Identity": "carol", "RoleSid": "RL" + "0" * 32},
            {"ConversationSid": "own"},
        ),
        (
            "UpdateServiceConversationParticipant",
            {"LastReadMessageIndex": "1"},
            {"ConversationSid": "own", "Sid": "alice"},
        ),
        (
            "CreateServiceConversationMessage",
            {"Body": "x", "Author": "bob"},
            {"ConversationSid": "own"},
        ),
        ("UpdateServiceUser", {"RoleSid": "RL" + "0" * 32}, {"Sid": "alice"}),
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
