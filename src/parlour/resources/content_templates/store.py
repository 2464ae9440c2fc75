"""Rows of content templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement
from parlour.store.table import Table

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ContentTemplate(msgspec.Struct, frozen=True):
    """One template of an account: a text in which ``{{1}}`` is a placeholder.

    ``types`` are its variants in addition to the text, a JSON object by type; ``variables`` are
    sample values, a JSON object of texts. Both are None if they were not sent. The members
    ``approval_…`` are about WhatsApp (approvals.py): ``approval_name`` is the template's name
    there, empty before an approval was requested.
    """

    account_sid: str
    sid: str
    friendly_name: str
    body: str
    types: str | None
    variables: str | None
    date_created: int
    date_updated: int
    language: str = "en"
    approval_name: str = ""
    approval_category: str = ""
    approval_status: str = "unsubmitted"
    approval_reason: str = ""


TABLE = Table("content_template", ContentTemplate, key=("account_sid", "sid"), order="sid")
insert_content_template = TABLE.inserter()
find_content_template = TABLE.finder()
list_content_templates = TABLE.lister()
update_content_template_row = TABLE.updater()
delete_content_template_row = TABLE.deleter()
COUNT = "SELECT COUNT(*) FROM content_template WHERE account_sid = $1"


async def count_content_templates(tx: Transaction, scope: Scope) -> int:
    """Return how many templates the account has."""
    row = await tx.one(COUNT, scope.account_sid)
    assert row is not None
    return int(row[0])


LIST_APPROVED = statement(
    """
    SELECT {columns} FROM content_template
    WHERE account_sid = $1 AND approval_status = 'approved' AND length(body) <= $2 ORDER BY sid
    """,
    ContentTemplate,
)


async def list_approved(
    tx: Transaction, scope: Scope, body_chars_max: int
) -> list[ContentTemplate]:
    """Return the approved templates whose text is not longer, at most the limit of an account."""
    rows = await tx.all(LIST_APPROVED, scope.account_sid, body_chars_max)
    return [ContentTemplate(*row) for row in rows]
