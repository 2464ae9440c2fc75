"""Representations of channel metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.channel_metadata.store import ChannelMetadata


def client_resource(metadata: ChannelMetadata) -> dict[str, Any]:
    """Return the metadata of a message; clients and REST see the same."""
    return {
        "message_sid": metadata.message_sid,
        "type": metadata.type,
        "data": msgspec.json.decode(metadata.data),
    }


def resource(metadata: ChannelMetadata, _view: View) -> dict[str, Any]:
    """Return the REST resource."""
    return client_resource(metadata)
