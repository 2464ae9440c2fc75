"""Conversations whose pages of messages are large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.client import Api


def large_page(api: Api, messages: int, characters: int, *, writers: int = 4) -> str:
    """Create a conversation with messages of this length; return the path of their page."""
    chat: str = api.post("/Conversations").expect(201)["sid"]

    def write(number: int) -> None:
        body = f"{number:03} " + "x" * characters
        api.post(f"/Conversations/{chat}/Messages", Body=body).expect(201)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(messages)))
    return f"/v1/Conversations/{chat}/Messages?PageSize=100"
