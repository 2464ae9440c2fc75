"""Statements run only for connected users, their devices and their media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations import access
from parlour.protocol.pages import PagePosition, PageRequest
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.media import garbage_collection as media_garbage_collection
from parlour.resources.media import store as media_store
from parlour.resources.messages import store as message_store
from parlour.resources.participants import roster as participant_roster
from parlour.resources.push_bindings import store as push_binding_store
from parlour.resources.receipts import recipients as receipt_recipients
from parlour.resources.users import presence as user_presence
from parlour.resources.users import store as user_store
from parlour.store import event_log
from parlour.vocabulary.scope import Scope
from tests.security.tenants.valid_forms import ALICE

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.security.tenants.twin_accounts import AccountObjects

FIRST_SID = ""
LAST_SID = "~"
A_NODE = "a node"
AN_EVENT = "SELECT MAX(sequence) FROM event WHERE account_sid = $1"


async def run_statements(tx: Transaction, world: AccountObjects) -> None:
    """Read a user's conversations and roles, and the objects that a socket reads."""
    scope = Scope(world.sid, world.default.sid)
    lobby_sid = world.default.chain["Conversations"]
    newest = await tx.one(AN_EVENT, world.sid)
    assert newest is not None
    assert await event_log.find_by_sequences(tx, scope, [newest[0]])
    for descending, sid in ((False, FIRST_SID), (True, LAST_SID)):
        way = {"descending": descending}
        assert await participant_roster.list_members_from(tx, scope, lobby_sid, sid, 10, **way)
        assert await participant_roster.list_memberships_from(tx, scope, ALICE, sid, 10, **way)
        index = 10 if descending else 0
        assert await message_store.list_messages_from_index(tx, scope, lobby_sid, index, 10, **way)
    assert await message_store.find_last_message(tx, scope, lobby_sid)
    user_sid = world.default.chain["Users"]
    await user_store.update_user_online(tx, scope, user_sid, 1)
    for is_connected in (True, False, True):
        await user_presence.record_connection(tx, scope, ALICE, A_NODE, is_connected=is_connected)
    await user_store.update_user_notifiable(tx, scope, user_sid, 1)
    (binding, *_) = await push_binding_store.list_push_bindings_of_identity(tx, scope, ALICE)
    await push_binding_store.update_push_binding_row(tx, scope, binding)
    await _run_role_statements(tx, scope, lobby_sid)
    await _run_email_statements(tx, scope, lobby_sid)
    await _run_account_statements(tx, scope, world)


async def _run_role_statements(tx: Transaction, scope: Scope, lobby_sid: str) -> None:
    tenant = (scope.account_sid, scope.service_sid)
    assert await tx.one(access.MEMBERSHIP, *tenant, lobby_sid, ALICE)
    assert await tx.one(access.SERVICE_ROLE, *tenant, ALICE)
    assert await tx.all(access.SHARED_CONVERSATION_ROLES, *tenant, ALICE, ALICE)


async def _run_email_statements(tx: Transaction, scope: Scope, lobby_sid: str) -> None:
    """Give two participants of a message an e-mail address for the time of a request."""
    mailed = (
        "UPDATE participant SET binding_type = $3 WHERE account_sid = $1 AND conversation_sid = $2"
    )
    before = "SELECT sid, binding_type FROM participant WHERE account_sid = $1"
    kinds = await tx.all(before + " AND conversation_sid = $2", scope.account_sid, lobby_sid)
    await tx.run(mailed, scope.account_sid, lobby_sid, "email")
    assert await tx.all(
        receipt_recipients.LIST_EMAIL_RECIPIENTS, scope.account_sid, lobby_sid, 0, 10
    )
    for sid, kind in kinds:
        back = "UPDATE participant SET binding_type = $3 WHERE account_sid = $1 AND sid = $2"
        await tx.run(back, scope.account_sid, sid, kind)


async def _run_account_statements(tx: Transaction, scope: Scope, world: AccountObjects) -> None:
    medium_sid = world.default.chain["Media"]
    message_sid = world.default.chain["Messages"]
    assert await tx.one(media_garbage_collection.EXISTS, scope.account_sid, medium_sid)
    assert await media_store.find_conversation_sid_of_message(tx, scope, message_sid)
    assert (await media_store.count_unattached_media(tx, scope, ALICE))[0]
    assert await content_template_store.list_content_templates(tx, scope, PageRequest(0, 10, None))
    assert isinstance(await content_template_store.list_approved(tx, scope, 100), list)
    for position in (
        PagePosition(FIRST_SID, FIRST_SID),
        PagePosition(LAST_SID, LAST_SID, backwards=True),
    ):
        assert await content_template_store.list_content_templates(
            tx, scope, PageRequest(0, 10, position)
        )
