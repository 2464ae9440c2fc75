"""Content templates as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, values_of, window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ContentTemplate(msgspec.Struct, frozen=True):
    """One template of an account: a text in which ``{{1}}`` is the place of a variable.

    ``types`` are its forms beside the text, a JSON object by type, and ``variables`` samples of
    its variables, a JSON object of texts; None where nothing was said.
    """

    account_sid: str
    sid: str
    friendly_name: str
    body: str
    types: str | None
    variables: str | None
    date_created: int
    date_updated: int


INSERT = insert("content_template", ContentTemplate)
FETCH = statement(
    "SELECT {columns} FROM content_template WHERE account_sid = $1 AND sid = $2", ContentTemplate
)
COUNT = "SELECT COUNT(*) FROM content_template WHERE account_sid = $1"
DELETE = "DELETE FROM content_template WHERE account_sid = $1 AND sid = $2"
LIST = window(
    "SELECT {columns} FROM content_template WHERE account_sid = $1",
    ContentTemplate,
    order="sid",
    arguments=1,
)


async def insert_content_template(tx: Transaction, scope: Scope, template: ContentTemplate) -> None:
    """Keep a new template."""
    assert template.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(template))


async def count_content_templates(tx: Transaction, scope: Scope) -> int:
    """How many templates the account has."""
    row = await tx.one(COUNT, scope.account_sid)
    assert row is not None
    return int(row[0])


async def delete_content_template_row(tx: Transaction, scope: Scope, sid: str) -> int:
    """Delete the row; how many that was."""
    return await tx.run(DELETE, scope.account_sid, sid)


async def find_content_template(tx: Transaction, scope: Scope, sid: str) -> ContentTemplate | None:
    """The template with this sid, if the account has it."""
    row = await tx.one(FETCH, scope.account_sid, sid)
    return ContentTemplate(*row) if row else None


async def list_content_templates(
    tx: Transaction, scope: Scope, request: PageRequest
) -> list[ContentTemplate]:
    """The account's templates."""
    rows = await read_window(tx, LIST, request, scope.account_sid)
    return [ContentTemplate(*row) for row in rows]
