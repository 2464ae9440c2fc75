"""The representation of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.accounts.store import Account
    from parlour.testmode.accounts.registry import NewAccount


def resource(account: Account, view: View) -> dict[str, Any]:
    """Return an account for a response, without its credentials."""
    root = view.root_url.removesuffix("/v1")
    return {
        "sid": account.sid,
        "friendly_name": account.friendly_name,
        "status": account.status,
        "date_created": format_date(account.date_created),
        "date_updated": format_date(account.date_updated),
        "url": f"{root}/parlour/v1/Accounts/{account.sid}",
    }


def new_resource(made: NewAccount, view: View) -> dict[str, Any]:
    """Return a new account with its credentials."""
    return resource(made.account, view) | {
        "auth_token": made.auth_token,
        "api_key_sid": made.api_key_sid,
        "api_key_secret": made.api_key_secret,
        "service_sid": made.service_sid,
    }
