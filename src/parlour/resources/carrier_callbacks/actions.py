"""The action of callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction


async def receive_callback(tx: Transaction, call: Call[NoParameters]) -> None:
    """Do nothing: each message and report of a callback is stored in its own transaction.

    The sink of the carrier does that (`channels/callbacks.py`), since one callback may be about
    several accounts, and a redelivery repeats only the missing part.
    """
    del tx, call
