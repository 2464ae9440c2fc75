"""The JSON of accounts for operators, and of the keys that operators create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.activity.representation import traffic_row

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.accounts.key_actions import NewKey
    from parlour.resources.operator_accounts.actions import OperatedAccount


def resource(operated: OperatedAccount, view: View) -> dict[str, Any]:
    """Return an account; each count names whether there may be more."""
    account, root = operated.account, view.root_url.removesuffix("/v1")
    row = {
        "sid": account.sid,
        "friendly_name": account.friendly_name,
        "status": account.status,
        "date_created": format_date_ms(account.date_created),
        "date_updated": format_date_ms(account.date_updated),
        "requests": traffic_row(operated.traffic, operated.now_ms),
        "conversations": operated.conversations,
        "media": operated.media,
        "waiting": operated.waiting,
        "url": f"{root}/parlour/v1/Operator/Accounts/{account.sid}",
    }
    if operated.auth_token is not None:
        row["auth_token"] = operated.auth_token
    return row


def key_resource(key: NewKey, _view: View) -> dict[str, Any]:
    """Return a new API key with its secret, which is shown only once."""
    login = key.login
    return {
        "sid": login.name,
        "account_sid": login.account_sid,
        "friendly_name": login.friendly_name,
        "secret": key.secret,
        "date_created": format_date_ms(login.date_created),
        "date_updated": format_date_ms(login.date_updated),
    }
