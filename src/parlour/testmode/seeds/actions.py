"""Actions on seeds. What only they need is imported by the first of them, not by the start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from parlour.operations.access import require_auth_token
from parlour.vocabulary.unset import given_or

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.testmode.seeds.items import SeedItem
    from parlour.testmode.seeds.parameters import FetchSeed
    from parlour.testmode.seeds.seeder import LoadedSeed, Seeder


class SeedParts(Protocol):
    """The part of test mode that the actions use."""

    @property
    def seeder(self) -> Seeder:
        """The seeder of the server."""
        ...


async def create_seed(mode: SeedParts, call: Call[NoParameters]) -> LoadedSeed:
    """Load a seed into the account.

    One that sets the clock or the randomness changes the server for all accounts, so it needs the
    auth token, as these functions do.
    """
    seed = await _read(call)
    from parlour.testmode.seeds.seeder import steers  # noqa: PLC0415 - see above.

    if steers(seed):
        require_auth_token(call.caller)
    return await mode.seeder.load(call.scope.account_sid, seed)


async def create_seed_check(mode: SeedParts, call: Call[NoParameters]) -> LoadedSeed:
    """Check a seed as if it were loaded into the account; nothing is changed."""
    return await mode.seeder.check(call.scope.account_sid, await _read(call))


async def _read(call: Call[NoParameters]) -> SeedItem:
    # In a thread: a document of some megabytes takes a second.
    return await asyncio.to_thread(_checked, call.body, call.content_type)


def _checked(body: bytes, content_type: str) -> SeedItem:
    from parlour.testmode.seeds.checker import check_document  # noqa: PLC0415 - see above.
    from parlour.testmode.seeds.text import read_document  # noqa: PLC0415

    return check_document(read_document(body, content_type))


async def fetch_seed(mode: SeedParts, call: Call[FetchSeed]) -> dict[str, Any]:
    """Return the account as a seed."""
    with_sids = given_or(call.parameters.sids, False)
    return await mode.seeder.export(call.scope.account_sid, with_sids=with_sids)


async def fetch_seed_schema(mode: SeedParts, call: Call[NoParameters]) -> dict[str, Any]:
    """Return the JSON Schema of seeds."""
    from parlour.testmode.seeds.schema import seed_schema  # noqa: PLC0415 - see above.

    del mode, call
    return seed_schema()
