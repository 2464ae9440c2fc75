"""Rows with which a bad plan shows: one account and one conversation have nearly all of them."""

from __future__ import annotations

from typing import Final

ROWS: Final = 6_000

# Tables with one row for each account, and those with a few that limits or operators bound.
ONE_PER_ACCOUNT: Final = {
    "configuration",
    "virtual_phone_usage",
    "webhook_configuration",
    "webhook_schedule",
}
FEW_PER_ACCOUNT: Final = {
    "account_number",
    "address_configuration",
    "carrier_number",
    "content_template",
    "credential",
    "login",
    "role",
    "service",
    "service_configuration",
    "service_notification",
    "service_webhook_configuration",
}
# Tables with a few rows in all.
FEW: Final = {
    "carrier_route",
    "carriers_file",
    "last_backup",
    "lease",
    "migration",
    "node",
    "operator",
    "sink_position",
    "sqlite_sequence",
}

_BIG: Final = "CASE WHEN i % 10 = 0 THEN 'AC' || i % 30 ELSE 'ACbig' END"
_VALUES: Final = {
    "account_sid": _BIG,
    "service_sid": "CASE WHEN i % 5 = 0 THEN 'IS' || i % 20 ELSE 'ISbig' END",
    "conversation_sid": "CASE WHEN i % 2 = 0 THEN 'CH7' ELSE 'CH' || i END",
    "message_sid": "'IM' || i",
    "participant_sid": "'MB' || i",
    "role_sid": "'RL' || i % 4",
    "user_sid": "'US' || i",
    "identity": "'id' || i",
    "type": "CASE WHEN i % 2 = 0 THEN 'service' ELSE 'conversation' END",
    "holds_pair": "CASE WHEN i % 4 = 0 THEN 1 ELSE 0 END",
    "is_open": "1",
    "is_removed": "CASE WHEN i % 100 = 0 THEN 1 ELSE 0 END",
    "fires": "1",
    "ordinal": "1",
    "messaging_service_sid": "NULL",
    "pending_participants": "CASE WHEN i % 500 = 0 THEN 'x' ELSE NULL END",
    "date_inactive": "CASE WHEN i % 10 = 0 THEN i ELSE NULL END",
    "date_closed": "CASE WHEN i % 10 = 0 THEN i ELSE NULL END",
    "binding_type": "CASE WHEN i % 10 = 0 THEN 'sms' ELSE NULL END",
    "projected_address": "CASE WHEN i % 50 = 0 THEN '+5' || i ELSE NULL END",
    "outcome": "CASE WHEN i % 50 = 0 THEN 'failed' ELSE 'delivered' END",
    "url": "'https://example.com/' || i % 7",
    "lane": "i % 900",
}
_OF_TABLE: Final = {
    ("conversation", "sid"): "'CH' || i",
    ("message", "sid"): "'IM' || i",
    ("participant", "sid"): "'MB' || i",
    ("role", "sid"): "'RL' || i",
    ("service", "sid"): "'IS' || i",
    ("chat_user", "sid"): "'US' || i",
    ("media", "message_sid"): "CASE WHEN i % 50 = 0 THEN NULL ELSE 'IM' || i END",
    ("webhook_delivery", "state"): "CASE WHEN i % 50 = 0 THEN 'pending' ELSE 'delivered' END",
    ("webhook_delivery", "due_ms"): "CASE WHEN i % 50 = 0 THEN i ELSE NULL END",
    ("webhook_endpoint", "url"): "'https://example.com/' || i",
    ("event", "name"): (
        "CASE WHEN i % 50 = 0 THEN 'scopedWebhookAdded'"
        " WHEN i % 50 = 1 THEN 'onConversationRemoved' ELSE 'onMessageAdded' END"
    ),
    ("conversation", "state"): "CASE WHEN i % 10 = 0 THEN 'closed' ELSE 'active' END",
    ("virtual_phone_message", "address"): "'+1' || i % 60",
    ("virtual_phone_message", "is_held"): "CASE WHEN i % 50 = 0 THEN 1 ELSE 0 END",
    ("push_binding", "binding_type"): "'fcm'",
    ("inbox", "state"): "CASE WHEN i % 50 = 0 THEN 'pending' ELSE 'done' END",
    ("inbox", "content"): "CASE WHEN i % 50 < 2 THEN '{}' ELSE NULL END",
    ("inbox", "due_ms"): "CASE WHEN i % 50 = 0 THEN i ELSE NULL END",
    ("inbox", "fold_key"): "CASE WHEN i % 50 = 0 THEN 'fold' || i ELSE NULL END",
    ("channel_metadata", "mail_id"): "CASE WHEN i % 50 = 0 THEN 'mail' || i ELSE NULL END",
    # Of 900 lanes, some with a backlog; nearly all submissions are accepted already.
    ("submission", "sid"): "'SM' || i",
    ("submission", "lane"): "'lane' || i % 900",
    ("submission", "lane_order"): "i",
    ("submission", "carrier"): "CASE WHEN i % 3 = 0 THEN 'smsc' ELSE 'virtual' END",
    ("submission", "channel"): "'sms'",
    ("submission", "state"): "CASE WHEN i % 50 = 0 THEN 'queued' ELSE 'accepted' END",
    ("submission", "due_ms"): "CASE WHEN i % 100 = 0 THEN i ELSE NULL END",
    ("submission", "date_ended"): "CASE WHEN i % 50 = 0 THEN NULL ELSE i END",
    ("submission_part", "submission_sid"): "'SM' || i",
}


def value(table: str, column: str, *, is_text: bool) -> str:
    """The SQL of one column of row number ``i``, for both engines."""
    if column == "account_sid" and table in ONE_PER_ACCOUNT:
        return "'AC' || i"
    if column == "account_sid" and table in FEW_PER_ACCOUNT:
        return "'AC' || i / 10"
    if column == "service_sid" and table in FEW_PER_ACCOUNT:
        return "'IS' || i"
    known = _OF_TABLE.get((table, column)) or _VALUES.get(column)
    return known or (f"'{column}' || i" if is_text else "i")


# Something small in the large account, and few rows of it.
_ARGUMENTS: Final = {"account_sid": "ACbig", "service_sid": "IS15", "conversation_sid": "CH9"}


def argument(column: str, kind: str) -> str:
    """The SQL of a usual value that a statement compares a column with, on PostgreSQL."""
    if kind == "text":
        return "'{}'".format(_ARGUMENTS.get(column, f"{column}3001"))
    return "'{}'" if kind.endswith("[]") else "20"
