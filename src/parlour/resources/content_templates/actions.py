"""What happens to content templates: clients look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.content_templates import store

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction


async def list_templates(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """A page of the account's templates."""
    return Rows(await store.page(tx, call.scope, call.page_request), order="sid")
