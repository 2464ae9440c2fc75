"""Baseline B: does the work of *update participant*, and stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.baselines import update_handling

if TYPE_CHECKING:
    from bench.baselines.update_handling import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the participant that the request describes."""
    if scope["path"] == "/healthz":
        await update_handling.answer_health(send)
        return
    try:
        account_sid = update_handling.authenticate(scope["headers"])
        form = await update_handling.read_form(receive)
        participant = update_handling.participant_of(account_sid, scope["path"], form)
    except update_handling.RejectedRequestError as refused:
        await update_handling.answer(send, refused.status, b"{}")
        return
    await update_handling.answer(send, 200, update_handling.encode(participant))
