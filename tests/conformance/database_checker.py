"""Consistency of a closed database, beyond the constraints of its schema.

`checkers/atomicity_checker.py` compares rows with events; this compares rows with each other.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.checkers.atomicity_checker import databases, violations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each query finds violations; rows that await removal in the background are left out.
_NOT_DOOMED = """
 AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.account_sid = row.account_sid
                 AND purge.owner_sid IN (row.service_sid, {owner}))
"""
_OF_A_CONVERSATION = _NOT_DOOMED.format(owner="row.conversation_sid")
_OF_A_SERVICE = _NOT_DOOMED.format(owner="''")
RULES = {
    "a participant whose role is no conversation role of its service": f"""
        SELECT row.sid FROM participant AS row WHERE row.role_sid IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM role WHERE role.sid = row.role_sid AND role.type = 'conversation'
                AND role.service_sid = row.service_sid) {_OF_A_CONVERSATION}""",
    "a user whose role is no service role of its service": f"""
        SELECT row.sid FROM chat_user AS row WHERE NOT EXISTS (
            SELECT 1 FROM role WHERE role.sid = row.role_sid AND role.type = 'service'
                AND role.service_sid = row.service_sid) {_OF_A_SERVICE}""",
    "a default role that is not there": """
        SELECT row.service_sid FROM service_configuration AS row WHERE 3 <> (
            SELECT COUNT(*) FROM (
                SELECT row.default_conversation_creator_role_sid AS sid, 'conversation' AS type
                UNION ALL SELECT row.default_conversation_role_sid, 'conversation'
                UNION ALL SELECT row.default_chat_service_role_sid, 'service') AS wanted
            JOIN role ON role.sid = wanted.sid AND role.type = wanted.type
                AND role.service_sid = row.service_sid)""",
    "a service without a configuration": """
        SELECT sid FROM service WHERE NOT EXISTS (
            SELECT 1 FROM service_configuration WHERE service_sid = service.sid)""",
    "an account whose default service is not there": """
        SELECT account_sid FROM configuration WHERE NOT EXISTS (
            SELECT 1 FROM service WHERE service.account_sid = configuration.account_sid
                AND service.sid = configuration.default_chat_service_sid)""",
    "a participant that is open where its conversation is closed, or the other way round": """
        SELECT row.sid FROM participant AS row JOIN conversation
            ON conversation.sid = row.conversation_sid
         WHERE row.is_open <> (conversation.state <> 'closed')""",
    "a pair held by no open participant, or not held": """
        SELECT sid FROM participant
         WHERE holds_pair <> (is_open AND address IS NOT NULL AND proxy_address IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM purge WHERE owner_sid = participant.service_sid)""",
    "a participant without identity and addresses": """
        SELECT sid FROM participant
         WHERE identity IS NULL AND address IS NULL AND projected_address IS NULL""",
    "a participant with an identity and an address": """
        SELECT sid FROM participant WHERE identity IS NOT NULL AND address IS NOT NULL""",
    "a binding without a type, or a type without a binding": """
        SELECT sid FROM participant WHERE (binding_type IS NULL)
            <> (address IS NULL AND projected_address IS NULL)""",
    "a horizon above the newest message": """
        SELECT row.sid FROM participant AS row JOIN conversation
            ON conversation.sid = row.conversation_sid
         WHERE row.last_read_message_index >= conversation.next_message_index""",
    "a pair that is pending and taken": """
        SELECT row.conversation_sid FROM pending_pair AS row JOIN participant
            ON participant.account_sid = row.account_sid AND participant.holds_pair = 1
           AND participant.address = row.address
           AND participant.proxy_address = row.proxy_address""",
    "a pair that is pending for a conversation that does not wait": """
        SELECT row.conversation_sid FROM pending_pair AS row WHERE NOT EXISTS (
            SELECT 1 FROM conversation WHERE conversation.sid = row.conversation_sid
                AND pending_participants IS NOT NULL)""",
    "a conversation that waits in another state, or does not wait in this one": f"""
        SELECT row.sid FROM conversation AS row
         WHERE (row.state = 'initializing') <> (row.pending_participants IS NOT NULL)
         {_OF_A_SERVICE}""",
    "a timer of a closed conversation, or of inactivity where it is not active": """
        SELECT sid FROM conversation
         WHERE (state = 'closed' AND COALESCE(date_closed, date_inactive) IS NOT NULL)
            OR (state <> 'active' AND date_inactive IS NOT NULL)""",
    "a receipt without its message": f"""
        SELECT row.sid FROM receipt AS row WHERE NOT EXISTS (
            SELECT 1 FROM message WHERE message.sid = row.message_sid) {_OF_A_CONVERSATION}""",
    "receipts that are counted otherwise than they are": f"""
        SELECT row.sid FROM message AS row WHERE row.receipts_total <> (
            SELECT COUNT(*) FROM receipt WHERE receipt.account_sid = row.account_sid
                AND receipt.message_sid = row.sid) {_OF_A_CONVERSATION}""",
    "a message number that would be given again": """
        SELECT conversation.sid FROM conversation JOIN message
            ON message.conversation_sid = conversation.sid
         WHERE message.message_index >= conversation.next_message_index""",
    "two messages with one number": """
        SELECT conversation_sid FROM message
         GROUP BY account_sid, conversation_sid, message_index HAVING COUNT(*) > 1""",
    "a text with NUL in it": """
        SELECT sid FROM conversation WHERE instr(friendly_name, char(0))
            OR instr(unique_name, char(0)) OR instr(attributes, char(0))
        UNION ALL SELECT sid FROM message WHERE instr(body, char(0)) OR instr(author, char(0))
        UNION ALL SELECT sid FROM participant WHERE instr(identity, char(0))""",
    "more webhooks than a conversation may have": """
        SELECT conversation_sid FROM scoped_webhook
         GROUP BY conversation_sid HAVING COUNT(*) > 5""",
}
JSON_COLUMNS = {
    "conversation": ("attributes",),
    "message": ("attributes", "media"),
    "participant": ("attributes",),
    "chat_user": ("attributes",),
    "role": ("permissions",),
    "scoped_webhook": ("filters", "triggers"),
    "event": ("payload",),
}


def inconsistencies(data_dir: Path) -> list[str]:
    """Return all inconsistencies in a data directory."""
    found = violations(data_dir)
    for path in databases(data_dir):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found += _broken(connection)
    return found


def _broken(connection: sqlite3.Connection) -> Iterator[str]:
    for rule, query in RULES.items():
        for (sid,) in connection.execute(query):
            yield f"{rule}: {sid}"
    for table, columns in JSON_COLUMNS.items():
        for column in columns:
            for (text,) in connection.execute(f"SELECT {column} FROM {table}"):
                if text is not None and not _is_json(text):
                    yield f"{table}.{column} is no JSON: {text[:100]!r}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True
