"""Connected users are limited by the permits of operations; an account is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.operations import access
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.resources.client_table import client_operations
from tests.events.in_process_server import (
    ACCOUNT_SID,
    ALICE,
    InProcessServer,
    ScenarioRunner,
    scenario_runner,
)
from tests.realtime.clients import (
    KEY_SID,
    NO_CONVERSATION,
    NO_MEMBER,
    NOT_PERMITTED,
    refusal,
    run_as,
)
from tests.support.account_operations import account_operations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend

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
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    return scenario_runner(tmp_path)


def test_users_are_permitted_a_few_operations_and_some_of_their_own() -> None:
    permitted = set(client_operations())

    assert {each for each in permitted if "Client" not in each} == OF_THE_API
    assert all(each.spec.permits is not None for each in client_operations().values())
    served = {each.operation_id for each in account_operations()}
    assert served & permitted == OF_THE_API


def test_an_operation_without_a_permit_is_for_accounts_only(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        service = {"ChatServiceSid": instance.scope.service_sid, "Sid": "alice", "UserSid": "alice"}
        refused = 0
        for operation in account_operations():
            if operation.spec.permits is not None or "ConversationSid}" in operation.path:
                continue
            call: Call[object] = Call(
                operation=operation,
                caller=Caller(ACCOUNT_SID, KEY_SID, "alice"),
                path=service,
                resource="/",
                form={},
            )
            run = instance.app.pipeline.run(call, lambda *_: b"")
            assert await refusal(run) == NOT_PERMITTED, operation.operation_id
            refused += 1
        assert refused > 60

    run_scenario(scenario)


def test_an_account_reads_no_roles(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        async def looked(*_: object) -> None:
            pytest.fail("roles are looked at for an account")

        for name in (
            "check_permission",
            "membership_in",
            "require_permission",
            "require_shared_conversation",
        ):
            monkeypatch.setattr(access, name, looked)
        made = await instance.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        await instance.do("CreateConversationParticipant", {"Identity": "alice"}, **here)
        await instance.send_message(made.sid, "hello", Author="alice")
        await instance.do(
            "UpdateConversationParticipant", {"Attributes": "{}"}, Sid="alice", **here
        )
        await instance.do("UpdateUser", {"FriendlyName": "Alice"}, Sid="alice")
        await instance.do("DeleteConversation", Sid=made.sid)

    run_scenario(scenario)


def test_an_unknown_user_has_no_role(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        made = run_as(instance, "nobody", "CreateClientConversation")
        assert await refusal(made) == NOT_PERMITTED
        await instance.do("CreateUser", {"Identity": "nobody"})
        made = await run_as(instance, "nobody", "CreateClientConversation")
        assert made.conversation.created_by == "nobody"

    run_scenario(scenario)


def test_another_accounts_service_is_not_found(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        await instance.do("CreateUser", {"Identity": "alice"})
        elsewhere = {"ChatServiceSid": "IS" + "0" * 32}
        command = run_as(instance, "alice", "CreateClientConversation", **elsewhere)
        assert await refusal(command) == (404, 50050)

    run_scenario(scenario)


def test_a_role_that_was_removed_grants_nothing_until_there_is_another(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        made = await instance.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        role = await instance.do(
            "CreateRole",
            {"FriendlyName": "r", "Type": "conversation", "Permission": "deleteConversation"},
        )
        member = {"Identity": "bob", "RoleSid": role.sid}
        await instance.do("CreateConversationParticipant", member, **here)
        await instance.do("DeleteRole", Sid=role.sid)
        command = run_as(instance, "bob", "DeleteServiceConversation", Sid=made.sid)
        assert await refusal(command) == NOT_PERMITTED
        message = await run_as(
            instance, "bob", "CreateClientMessage", {"Body": "still here"}, **here
        )
        assert message.body == "still here"

    run_scenario(scenario)


def test_a_creator_who_joins_gets_the_creator_role(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        await instance.do("CreateUser", {"Identity": "alice"})
        roles = await instance.do(
            "FetchServiceConfiguration", ChatServiceSid=instance.scope.service_sid
        )
        made = await run_as(instance, "alice", "CreateClientConversation")
        here = {"ConversationSid": made.conversation.sid}
        own = {"Identity": "alice"}
        joined = await run_as(instance, "alice", "CreateClientParticipant", own, **here)
        assert joined.role_sid == roles.default_conversation_creator_role_sid
        again = run_as(instance, "alice", "CreateClientParticipant", own, **here)
        assert await refusal(again) == (409, 50433)
        added = await run_as(
            instance, "alice", "CreateClientParticipant", {"Identity": "bob"}, **here
        )
        assert added.role_sid == roles.default_conversation_role_sid
        await run_as(instance, "alice", "DeleteServiceConversationParticipant", Sid="alice", **here)
        # Participants that an account adds get the default role, regardless of the creator.
        added = await instance.do("CreateConversationParticipant", own, **here)
        assert added.role_sid == roles.default_conversation_role_sid

    run_scenario(scenario)


def test_a_removed_participant_loses_access(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        made = await instance.do("CreateConversation")
        here = {"ConversationSid": made.sid}
        await instance.do("CreateConversationParticipant", {"Identity": "bob"}, **here)
        message = await run_as(instance, "bob", "CreateClientMessage", {"Body": "hi"}, **here)
        assert (message.author, message.source) == ("bob", "SDK")
        await instance.do("DeleteConversationParticipant", Sid="bob", **here)
        command = run_as(instance, "bob", "CreateClientMessage", {"Body": "hi"}, **here)
        assert await refusal(command) == NO_CONVERSATION

    run_scenario(scenario)


def test_a_creator_who_is_no_participant_gets_a_specific_error(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        await instance.do("CreateUser", {"Identity": "alice"})
        made = await run_as(instance, "alice", "CreateClientConversation")
        here = {"ConversationSid": made.conversation.sid}
        command = run_as(instance, "alice", "CreateClientMessage", {"Body": "x"}, **here)
        assert await refusal(command) == NO_MEMBER

    run_scenario(scenario)


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
def test_parameters_for_accounts_only_are_rejected(
    run_scenario: ScenarioRunner, operation_id: str, form: dict[str, str], path: dict[str, str]
) -> None:
    async def scenario(instance: InProcessServer, _hooks: WebhookBackend) -> None:
        await instance.do("CreateConversation", {"UniqueName": "own"}, origin=ALICE)
        await instance.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid="own"
        )
        assert await refusal(run_as(instance, "alice", operation_id, form, **path)) == NOT_PERMITTED

    run_scenario(scenario)
