"""Representations of the webhook retry schedule of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_retries.store import WebhookRetries


def resource(chosen: WebhookRetries, view: View) -> dict[str, Any]:
    """Return the schedule; ``retries`` is null where the server's default applies."""
    root = view.root_url.removesuffix("/v1")
    return {**row(chosen), "url": f"{root}/parlour/v1/WebhookRetries"}


def row(chosen: WebhookRetries) -> dict[str, Any]:
    """Return the schedule without its URL, for the command line."""
    return {"account_sid": chosen.account_sid, "retries": chosen.schedule}
