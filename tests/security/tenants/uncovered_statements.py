"""Actions for statements that the matrix does not reach, or not with success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import purge
from parlour.operations.action_rates import NAMED_CONVERSATION
from parlour.resources.accounts import store as account_store
from parlour.resources.address_configurations import store as address_configuration_store
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.participants import store as participant_store
from parlour.resources.push_bindings import store as push_binding_store
from parlour.resources.services import store as service_store
from parlour.resources.tokens import store as token_store
from parlour.resources.tokens.actions import DEVELOPMENT_KEY_NAME
from parlour.resources.user_removal import membership_cleanup as user_removal_membership_cleanup
from parlour.resources.user_removal.membership_cleanup import MembershipCleanup
from parlour.store.statements import values_of
from parlour.vocabulary.scope import Scope
from tests.security.tenants import (
    uncovered_channel_statements,
    uncovered_console_statements,
    uncovered_realtime_statements,
    uncovered_webhook_statements,
)
from tests.security.tenants.owner_actions import page_url
from tests.security.tenants.targets import CallerRequest, LocalTarget, settle
from tests.security.tenants.twin_accounts import (
    GROUP,
    PROXY,
    AccountClient,
    AccountObjects,
    ServiceObjects,
    make_group,
    seed_media,
)
from tests.security.tenants.valid_forms import ALICE, fresh_number

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

OTHER_PROXY = "+15017122662"
SEQUENCE_MAX = 1 << 62


def do_all(target: LocalTarget, world: AccountObjects) -> None:
    """Run all of them, in an account that is not used afterwards."""
    account = AccountClient(target, world.login)
    lobby = f"/v1/Conversations/{world.default.chain['Conversations']}"
    target.write(lambda tx: uncovered_realtime_statements.run_statements(tx, world))
    target.write(lambda tx: uncovered_channel_statements.run_statements(tx, world))
    target.write(lambda tx: uncovered_console_statements.run_statements(tx, world))
    _media(account, world)
    _addresses(account, world)
    make_group(account)
    account.post("/parlour/v1/Tokens", Identity=ALICE)
    target.write(lambda tx: _run_store_statements(tx, world))
    target.write(lambda tx: uncovered_webhook_statements.run_statements(tx, world))
    _unread(account, world)
    assert account.get("/parlour/v1/Activity")["messages_24h"]["count"] > 0
    _summaries(account, world)
    for kind in ("Roles", "ServiceRoles"):
        _delete(account, f"/v1/Roles/{world.default.chain[kind]}")
    target.write(lambda tx: _hold_pair(tx, world.default, world.sid))
    account.post(lobby, State="closed")
    _delete(account, lobby)
    target.write(lambda tx: uncovered_webhook_statements.run_statements_of_deleted(tx, world))
    seed_media(target, world, world.second)  # It is removed with its service.
    target.write(lambda tx: _remove_service(tx, world))
    settle(target)


def _delete(account: AccountClient, path: str) -> None:
    request = CallerRequest("DELETE", path, {}, account.login.header)
    assert account.target.send(request).status == 204, path


def _media(account: AccountClient, world: AccountObjects) -> None:
    """Create messages with media, one of which is removed with its service."""
    messages = f"/v1/Conversations/{world.default.elsewhere['Conversations']}/Messages"
    made = account.post(messages, MediaSid=world.default.chain["Media"])
    _delete(account, f"{messages}/{made['sid']}")
    messages = f"/v1/Services/{world.second.sid}/Conversations/attic/Messages"
    account.post(messages, MediaSid=world.second.chain["Media"])
    made = account.post(messages, ContentSid=world.account["ContentTemplates"])
    assert made["body"] == "Hello {{1}}"


def _unread(account: AccountClient, world: AccountObjects) -> None:
    """Create messages that have to be counted, since one above the read horizon was removed."""
    conversation_path = f"/v1/Conversations/{world.default.chain['Conversations']}"
    for _ in range(2):
        made = account.post(f"{conversation_path}/Messages", Body="unread")
    account.post(f"{conversation_path}/Messages", Body="unread")
    _delete(account, f"{conversation_path}/Messages/{made['sid']}")
    of_user = f"/v1/Users/{ALICE}/Conversations"
    assert account.get(f"{of_user}/lobby")["unread_messages_count"] == 3
    following = page_url(account.get(f"{of_user}?PageSize=1"), "next")
    assert following is not None
    previous = page_url(account.get(following), "previous")
    assert previous is not None
    account.get(previous)


def _summaries(account: AccountClient, world: AccountObjects) -> None:
    """List conversations of both services by their SIDs, page by page."""
    sids = [each.chain["Conversations"] for each in (world.default, world.second)]
    query = "&".join(f"Sid={sid}" for sid in sids)
    page = account.get(f"/parlour/v1/ConversationSummaries?PageSize=1&{query}")
    following = page_url(page, "next")
    assert following is not None
    previous = page_url(account.get(following), "previous")
    assert previous is not None
    assert account.get(previous)["conversation_summaries"] == page["conversation_summaries"]


def _addresses(account: AccountClient, world: AccountObjects) -> None:
    """Use an address in several conversations, another proxy, and a stranger's messages."""
    address = fresh_number()
    for name in ("lobby", "attic", "den"):
        path_below = f"/v1/Conversations/{name}/Participants"
        made = account.post(
            path_below,
            MessagingBinding__Address=address,
            MessagingBinding__ProxyAddress=fresh_number(),
        )
    account.post(f"{path_below}/{made['sid']}", MessagingBinding__ProxyAddress=OTHER_PROXY)
    following = page_url(
        account.get(f"/v1/ParticipantConversations?Address=%2B{address[1:]}&PageSize=1"), "next"
    )
    assert following is not None
    previous = page_url(account.get(following), "previous")
    assert previous is not None
    account.get(previous)
    account.post(
        "/v1/Configuration/Addresses",
        Type="sms",
        Address=fresh_number(),
        AutoCreation__Enabled="true",
        AutoCreation__ConversationServiceSid=world.second.sid,
    )


async def _run_store_statements(tx: Transaction, world: AccountObjects) -> None:
    """Run statements of carriers, sockets, background jobs and seeds."""
    scope = Scope(world.sid, world.default.sid)
    service = await service_store.find_service(tx, scope, world.default.sid)
    assert service is not None
    renamed = msgspec.structs.replace(service, friendly_name="seeded")
    await service_store.update_service_row(tx, scope, renamed)
    await service_store.update_service_row(tx, scope, service)
    lobby_sid = world.default.chain["Conversations"]
    named = await tx.one(NAMED_CONVERSATION, world.sid, world.default.sid, "lobby")
    assert named == (lobby_sid,)
    assert await participant_store.list_open_memberships(tx, scope, ALICE)
    assert await participant_store.list_memberships_before(tx, scope, ALICE, SEQUENCE_MAX, 10)
    assert await participant_store.find_groups_by_numbers(
        tx, scope, frozenset(GROUP), GROUP[1], lobby_sid
    )
    for own in (PROXY, GROUP[0]):
        assert await participant_store.is_own_number(tx, scope, own)
    await participant_store.reserve_address_pair(tx, scope, lobby_sid, GROUP[1], PROXY)
    assert await participant_store.find_address_pair_owner(tx, scope, GROUP[1], PROXY) == lobby_sid
    numbers = frozenset(GROUP)
    await participant_store.reserve_group_numbers(tx, scope, lobby_sid, numbers)
    assert await participant_store.find_group_reservation(tx, scope, numbers) == lobby_sid
    assert await participant_store.release_reservations(tx, scope, lobby_sid) == 2
    receipt = await message_receipt_store.find_receipt(tx, scope, world.default.chain["Receipts"])
    assert receipt is not None
    older = msgspec.structs.replace(receipt, date_created=receipt.date_created - 1)
    await message_receipt_store.update_receipt_row(tx, scope, receipt, older)
    assert await push_binding_store.list_push_bindings_of_identity(tx, scope, ALICE)
    assert await address_configuration_store.list_address_configurations_of_service(
        tx, scope, world.second.sid, 10
    )
    key = await token_store.find_key_by_name(tx, scope, DEVELOPMENT_KEY_NAME)
    assert key is not None
    assert key.account_sid == world.sid
    await account_store.replace_account_numbers(tx, scope, [PROXY])
    assert await account_store.list_account_numbers(tx, scope) == [PROXY]
    assert await participant_store.is_own_number(tx, scope, PROXY)
    await account_store.replace_account_numbers(tx, scope, [])
    assert await account_store.update_account_status(tx, scope, "active") == 1


async def _hold_pair(tx: Transaction, service: ServiceObjects, account_sid: str) -> None:
    """Reserve a pair for a participant who is never added."""
    scope = Scope(account_sid, service.sid)
    sid = service.chain["Conversations"]
    await participant_store.reserve_address_pair(tx, scope, sid, fresh_number(), PROXY)


async def _remove_service(tx: Transaction, world: AccountObjects) -> None:
    """Delete a service with a member who has not left everything yet."""
    await _hold_pair(tx, world.second, world.sid)
    departure = MembershipCleanup(
        account_sid=world.sid,
        service_sid=world.second.sid,
        user_sid=world.second.chain["Users"],
        identity="nobody",
        sequence=1,
        source="API",
        client_identity=None,
        fires=0,
    )
    await tx.run(user_removal_membership_cleanup.INSERT, *values_of(departure))
    await purge.enqueue_service(tx, Scope(world.sid, world.second.sid))
    # Run only if the webhook intake has not passed the last change of the service's webhooks.
    assert await tx.run(purge.POSTPONE, world.sid, world.second.sid, tx.now * 1000) == 1
    await tx.run(user_removal_membership_cleanup.INSERT, *values_of(departure))
