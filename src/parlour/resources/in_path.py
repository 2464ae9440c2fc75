"""Lookups of path variables: a SID, or a name that may have the form of a SID.

A resource declares its lookup once: the prefix of its SIDs, the store function that finds a row by
SID, and the one that finds it by name, if it has names. A value is looked up as a SID first, then
as a name: an identity or an address may have the form of a SID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple

from parlour.vocabulary import sids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

NOT_FOUND = 20404

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Above = TypeVarTuple("Above")


class InPath(Protocol[R_co, *Above]):
    """A function that returns the row named by a path variable. Raises 404.

    ``above`` is the SID of its conversation, for the rows of a conversation.
    """

    async def __call__(
        self, tx: Transaction, call: Call[Any], *above: *Above, variable: str = ...
    ) -> R_co:
        """Return the row named by a path variable."""
        ...


def in_path(
    prefix: str,
    find: Callable[[Transaction, Scope, *Above, str], Awaitable[R | None]],
    find_by_name: Callable[[Transaction, Scope, *Above, str], Awaitable[R | None]] | None = None,
    *,
    variable: str = "Sid",
    code: int = NOT_FOUND,
    locks_identity: bool = False,
    names_like_sids: bool = True,
) -> InPath[R, *Above]:
    """Return the lookup of rows whose SIDs have this prefix.

    ``locks_identity``: a name in the form of a SID is locked, because the conflict scope of the
    call contains that SID as its subject. The lock excludes the call from its group.
    ``names_like_sids``: a name may have the form of a SID; if not, an unknown SID costs no second
    lookup.
    """
    usual = variable

    async def look_up(tx: Transaction, call: Call[Any], *above: *Above, variable: str = usual) -> R:
        text = call.path[variable]
        sid = sids.parse(prefix, text)
        found = None
        if sid is not None:
            found = await find(tx, call.scope, *above, sid)
        if found is None and find_by_name is not None and (names_like_sids or sid is None):
            found = await find_by_name(tx, call.scope, *above, text)
            if found is not None and sid is not None and locks_identity:
                await lock_identity(tx, call.scope, text)
        if found is None:
            raise call.not_found(code)
        return found

    return look_up


async def lock_identity(tx: Transaction, scope: Scope, identity: str) -> None:
    """Lock an identity of a service until the transaction ends."""
    await tx.lock_name("identity", scope.account_sid, scope.service_sid, identity)
