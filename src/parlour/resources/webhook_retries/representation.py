"""What is shown of the retries of an account's webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_retries.store import WebhookRetries


def resource(chosen: WebhookRetries, view: View) -> dict[str, Any]:
    """Return the choice; ``retries`` is null where the server's default counts."""
    root = view.root_url.removesuffix("/v1")
    return {**row(chosen), "url": f"{root}/parlour/v1/WebhookRetries"}


def row(chosen: WebhookRetries) -> dict[str, Any]:
    """Return the choice without its address: what the command line shows."""
    return {"account_sid": chosen.account_sid, "retries": chosen.retries}
