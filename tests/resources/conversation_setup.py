"""Conversations as resources of the REST API: one is created, and its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.client import Api

Conversation = dict[str, Any]


def make(api: Api, form: dict[str, str] | None = None) -> Conversation:
    """Create a conversation."""
    made: Conversation = api.post("/Conversations", form or {}).expect(201)
    return made


def at(conversation: Conversation) -> str:
    """Return the path of a conversation."""
    return f"/Conversations/{conversation['sid']}"
