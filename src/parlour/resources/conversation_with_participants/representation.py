"""Representations of conversations created with participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.resources.conversations import representation as conversation_representation

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.conversations.store import Conversation


def resource(conversation: Conversation, view: View) -> dict[str, Any]:
    """Return a conversation with its links before its URL, and without the export link."""
    shown = conversation_representation.resource(conversation, view)
    url, links = shown.pop("url"), shown.pop("links")
    del links["export"]
    return shown | {"links": links, "url": url}
