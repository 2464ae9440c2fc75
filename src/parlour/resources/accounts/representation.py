"""Representations of accounts and API keys in version 2010-04-01, with RFC 2822 dates."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.accounts.key_actions import NewKey, OwnAccount
    from parlour.resources.accounts.store import Login


def _date(ms: int) -> str:
    """Return a date in the format of RFC 2822."""
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC))


def account_resource(own: OwnAccount, _view: View) -> dict[str, Any]:
    """Return the account, keys in documented order. URIs are without scheme and host."""
    uri = f"/2010-04-01/Accounts/{own.account.sid}"
    return {
        "auth_token": own.auth_token,
        "date_created": _date(own.account.date_created),
        "date_updated": _date(own.account.date_updated),
        "friendly_name": own.account.friendly_name,
        "owner_account_sid": own.account.sid,
        "sid": own.account.sid,
        "status": own.account.status,
        "subresource_uris": {"keys": f"{uri}/Keys.json"},
        "type": "Full",
        "uri": f"{uri}.json",
    }


def key_resource(login: Login, _view: View) -> dict[str, Any]:
    """Return an API key, without its secret."""
    return {
        "sid": login.name,
        "friendly_name": login.friendly_name,
        "date_created": _date(login.date_created),
        "date_updated": _date(login.date_updated),
    }


def new_key_resource(key: NewKey, view: View) -> dict[str, Any]:
    """Return an API key with its secret, which is shown only once."""
    return {**key_resource(key.login, view), "secret": key.secret}
