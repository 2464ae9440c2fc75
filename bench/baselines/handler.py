"""Baseline B: does the work of *update participant*, and keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.baselines import handling

if TYPE_CHECKING:
    from bench.baselines.handling import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the participant that the request describes."""
    if scope["path"] == "/healthz":
        await handling.answer_health(send)
        return
    try:
        account_sid = handling.authenticate(scope["headers"])
        form = await handling.read_form(receive)
        participant = handling.participant_of(account_sid, scope["path"], form)
    except handling.Refused as refused:
        await handling.answer(send, refused.status, b"{}")
        return
    await handling.answer(send, 200, handling.encode(participant))
