"""Objects of twins that belong to channels: virtual phones, and a number of a carrier."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

from tests.security.tenants.valid_forms import fresh_number

if TYPE_CHECKING:
    from tests.security.tenants.targets import MatrixTarget
    from tests.security.tenants.twin_accounts import AccountClient

SHARED_PHONE = "whatsapp:+15005550310"
"""The address of a phone that each account has, with different messages."""
ONLY_CARRIED = "+15005550311"
"""The number of a carrier that one account has."""


def seed_phones(account: AccountClient) -> dict[str, str]:
    """Create phones of WhatsApp, and insert messages that two received; return one of each.

    The returned phone has another address in each account, because its address is in paths.
    """
    address = f"whatsapp:{fresh_number()}"
    for each in (address, f"whatsapp:{fresh_number()}", SHARED_PHONE):
        account.post("/parlour/v1/VirtualPhones", Address=each)
    for number in (1, 2):
        _seed_phone_message(account, SHARED_PHONE, number)
    found = [_seed_phone_message(account, address, number) for number in (1, 2)]
    return {"VirtualPhones": address, "PhoneMessages": found[0]}


def add_number(target: MatrixTarget, account_sid: str) -> None:
    """Give an account the number of a carrier, as a carriers file does."""
    row = {"account_sid": account_sid, "address": ONLY_CARRIED, "settings": "{}"}
    target.insert("carrier_number", row)


def _seed_phone_message(account: AccountClient, address: str, number: int) -> str:
    sid = f"WA{secrets.token_hex(16)}"
    now_ms = int(time.time() * 1000)
    message = {
        "account_sid": account.login.name,
        "address": address,
        "sid": sid,
        "sequence": number,
        "direction": "received",
        "sender": "whatsapp:+15005550006",
        "recipients": json.dumps([address]),
        "media": "[]",
        "size": 0,
        "segments": 1,
        "status": "delivered",
        "is_held": 0,
        "date_created": now_ms,
        "date_updated": now_ms,
    }
    account.target.insert("virtual_phone_message", message)
    return sid
