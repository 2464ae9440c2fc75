"""The JSON of a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol import signatures

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_signatures.actions import WebhookSignature


def resource(made: WebhookSignature, _view: View) -> dict[str, Any]:
    """Return a signature, and the name of its header."""
    return {
        "url": made.url,
        "header": signatures.HEADER,
        "signature": made.signature,
        "signed_string": made.signed_text,
    }
