"""Rows that seeds read and write without an operation of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from parlour.resources.address_configurations.store import AddressConfiguration
from parlour.resources.conversations.store import Conversation
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.messages.store import Message
from parlour.resources.participants.store import Participant
from parlour.resources.roles.store import Role
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.resources.services.store import Service
from parlour.resources.users.store import User
from parlour.resources.virtual_phones.store import VirtualPhone
from parlour.store.statements import statement
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    import msgspec

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

R = TypeVar("R", bound="msgspec.Struct")

_TABLES: Final[dict[str, str]] = {
    sids.SERVICE: "service",
    sids.ROLE: "role",
    sids.USER: "chat_user",
    sids.ADDRESS_CONFIGURATION: "address_configuration",
    sids.CONVERSATION: "conversation",
    sids.PARTICIPANT: "participant",
    sids.MESSAGE: "message",
    sids.RECEIPT: "receipt",
    sids.SCOPED_WEBHOOK: "scoped_webhook",
}
IS_USED: Final = {
    prefix: statement("SELECT 1 FROM {table} WHERE account_sid = $1 AND sid = $2", table=table)
    for prefix, table in _TABLES.items()
}
# Of the whole account: an export has as many objects as a seed may have, and no page.
_LIST = "SELECT {columns} FROM {table} WHERE account_sid = $1 ORDER BY {order} LIMIT $2"
LIST_OF_ACCOUNT: Final[dict[type[msgspec.Struct], str]] = {
    record: statement(_LIST, record, table=table, order=order)
    for record, table, order in (
        (Service, "service", "sequence, sid"),
        (Role, "role", "sequence, sid"),
        (User, "chat_user", "sequence, sid"),
        (AddressConfiguration, "address_configuration", "sequence, sid"),
        (VirtualPhone, "virtual_phone", "activity, token"),
        (Conversation, "conversation", "sequence, sid"),
        (Participant, "participant", "sequence, sid"),
        (Message, "message", "conversation_sid, message_index"),
        (Receipt, "receipt", "sequence, sid"),
        (ScopedWebhook, "scoped_webhook", "sequence, sid"),
    )
}
OLDEST_ROLE_BY_NAME = statement(
    "SELECT {columns} FROM role WHERE account_sid = $1 AND service_sid = $2"
    " AND friendly_name = $3 ORDER BY sequence, sid LIMIT 1",
    Role,
)
RENAME_ACCOUNT = "UPDATE account SET friendly_name = $2, date_updated = $3 WHERE sid = $1"
HAS_CONTENT = """
SELECT EXISTS (SELECT 1 FROM conversation WHERE account_sid = $1 AND service_sid = $2)
    OR EXISTS (SELECT 1 FROM chat_user WHERE account_sid = $1 AND service_sid = $2)
"""


async def is_sid_used(tx: Transaction, scope: Scope, sid: str) -> bool:
    """Return whether an object of the account has this SID, in any service."""
    # tidy: no-sql-building - a constant of the table above
    return await tx.one(IS_USED[sid[:2]], scope.account_sid, sid) is not None


async def list_of_account(tx: Transaction, scope: Scope, record: type[R]) -> list[R]:
    """Return all rows of an account, in the order of their creation, up to the limit of seeds."""
    # tidy: no-sql-building - as above
    rows = await tx.all(LIST_OF_ACCOUNT[record], scope.account_sid, limits.SEED_OBJECTS_MAX + 1)
    return [record(*row) for row in rows]


async def rename_account(tx: Transaction, scope: Scope, friendly_name: str) -> None:
    """Change the name of the account."""
    await tx.run(RENAME_ACCOUNT, scope.account_sid, friendly_name, tx.now)


async def has_content(tx: Transaction, scope: Scope) -> bool:
    """Return whether a service has conversations or users."""
    row = await tx.one(HAS_CONTENT, scope.account_sid, scope.service_sid)
    assert row is not None
    return bool(row[0])
