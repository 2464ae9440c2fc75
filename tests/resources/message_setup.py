"""Messages of a conversation for tests, and rows that no operation of the API creates."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.resources.participant_setup import ADDRESS, ConversationClient
from tests.support.phone_numbers import phone_number
from tests.support.polling import eventually
from tests.support.seeded_blobs import write_zeros
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.client import ApiResponse, Fields
    from tests.support.server import Server

Message = dict[str, Any]


class MessageClient(ConversationClient):
    """One conversation and its messages, in one of the two forms of its path."""

    @property
    def messages(self) -> str:
        """The path of its messages."""
        return f"/Conversations/{self.sid}/Messages"

    @property
    def account_sid(self) -> str:
        """The sid of its account."""
        sid: str = self.resource["account_sid"]
        return sid

    @property
    def service_sid(self) -> str:
        """The sid of its service."""
        sid: str = self.resource["chat_service_sid"]
        return sid

    def post(self, form: Fields | None = None, **more: Any) -> Message:
        """Create a message."""
        made: Message = self.api.post(self.messages, form, **more).expect(201)
        return made

    def read(self, message: Message) -> Message:
        """Fetch a message."""
        found: Message = self.api.get(f"{self.messages}/{message['sid']}").expect(200)
        return found

    def edit(self, message: Message, form: Fields | None = None, **more: Any) -> ApiResponse:
        """Update a message and return the response."""
        return self.api.post(f"{self.messages}/{message['sid']}", form, **more)

    def bodies(self, **query: Any) -> list[str]:
        """Return the messages in the order of a list."""
        page = self.api.get(self.messages, query).expect(200)
        return [each["body"] for each in page["messages"]]

    def refuses_post(self, form: Fields, code: int, status: int = 400) -> dict[str, Any]:
        """Check that a new message is rejected, and leaves nothing behind."""
        self.settle()
        before, events_before = self.bodies(), self.events()
        error: dict[str, Any] = self.api.post(self.messages, form).refuses(status, code)
        assert (self.bodies(), self.events()) == (before, events_before)
        return error

    def refuses_edit(self, message: Message, form: Fields, code: int) -> None:
        """Check that an update of a message is rejected, and changes nothing."""
        self.settle()
        before, events_before = self.read(message), self.events()
        self.edit(message, form).refuses(400, code)
        assert (self.read(message), self.events()) == (before, events_before)

    def settle(self, *statuses: str) -> None:
        """Wait until everything that was sent is delivered, or has one of these statuses."""
        sql = "SELECT DISTINCT status FROM receipt WHERE conversation_sid = ?"
        final = set(statuses or ("delivered",))
        # After a crash on PostgreSQL the lease of the dead process has to expire first.
        eventually(
            lambda: rows(self.server, sql, self.sid),
            lambda found: {row[0] for row in found} <= final,
            seconds=15,
        )

    def whatsapp(self) -> dict[str, Any]:
        """Create a participant that is reached by WhatsApp, and that wrote a moment ago."""
        participant = super().whatsapp()
        binding = participant["messaging_binding"]
        row = {
            "account_sid": self.account_sid,
            "sender": binding["proxy_address"],
            "address": binding["address"],
            "last_inbound_ms": int(time.time() * 1000),
        }
        _seed(self.server, "whatsapp_window", row)
        return participant

    def receipts(self, message: Message) -> list[dict[str, Any]]:
        """Return the receipts of a message."""
        page = self.api.get(f"{self.messages}/{message['sid']}/Receipts").expect(200)
        found: list[dict[str, Any]] = page["delivery_receipts"]
        return found

    def in_group(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Create a group of three numbers: alice's projected one, and two native ones."""
        own = self.projected("alice")
        return own, [self.add({ADDRESS: phone_number()}) for _ in range(2)]


def seed_media(server: Server, account_sid: str, service_sid: str, **more: Any) -> str:
    """Insert a medium, as an upload leaves it; return its sid."""
    now_ms = int(time.time() * 1000)
    row: dict[str, Any] = {
        "account_sid": account_sid,
        "service_sid": service_sid,
        "sid": f"ME{secrets.token_hex(16)}",
        "message_sid": None,
        "size": 42056,
        "content_type": "image/jpeg",
        "filename": "car.jpg",
        "category": "media",
        "author": None,
        "date_created": now_ms,
        "date_updated": now_ms,
    }
    row |= more
    _seed(server, "media", row)
    write_zeros(server.data_dir, account_sid, str(row["sid"]), row["size"])
    return str(row["sid"])


def seed_template(server: Server, account_sid: str, body: str) -> str:
    """Insert a content template; return its sid."""
    now_ms = int(time.time() * 1000)
    row: dict[str, Any] = {
        "account_sid": account_sid,
        "sid": f"HX{secrets.token_hex(16)}",
        "friendly_name": "greeting",
        "body": body,
        "date_created": now_ms,
        "date_updated": now_ms,
    }
    _seed(server, "content_template", row)
    return str(row["sid"])


def _seed(server: Server, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    with closing(connect(server)) as connection, connection:
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)


def rows(server: Server, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query that bypasses the server."""
    with closing(connect(server)) as connection:
        return connection.execute(sql, arguments).fetchall()


def execute(server: Server, sql: str, *arguments: object) -> None:
    """Run a change that bypasses the server."""
    with closing(connect(server)) as connection, connection:
        connection.execute(sql, arguments)
