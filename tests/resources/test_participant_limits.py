"""Limits of participants: of a conversation, outside the chat, and of an identity."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.resources.participant_setup import ADDRESS, PROXY_ADDRESS, ConversationClient
from tests.resources.test_participants import refuses
from tests.support.phone_numbers import phone_number
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


def fill(
    client: ConversationClient, count: int, member: dict[str, Any], *, spread: bool = False
) -> None:
    """Insert copies of a participant into its conversation, or each into a separate one."""
    with closing(connect(client.server)) as connection, connection:
        for table, sid in (("conversation", client.sid), ("participant", member["sid"])):
            found = connection.execute(f"SELECT * FROM {table} WHERE sid = ?", (sid,))
            names = [name for name, *_ in found.description]
            row = dict(zip(names, found.fetchone(), strict=True))
            for number in range(count):
                changes = {"sid": f"{sid[:2]}{number:08x}{client.sid[10:]}"}
                if table == "conversation" and not spread:
                    continue
                if table == "participant" and spread:
                    changes["conversation_sid"] = f"CH{number:08x}{client.sid[10:]}"
                elif table == "participant" and row["address"]:
                    changes["address"] = f"+1444{number:07}"
                elif table == "participant":
                    changes["identity"] = f"copy {number}"
                places = ", ".join("?" * len(row))
                values = tuple((row | changes).values())
                connection.execute(f"INSERT INTO {table} VALUES ({places})", values)


def test_a_conversation_has_a_thousand_participants(server: Server, api: Api) -> None:
    client = ConversationClient.make(
        server, api.service(api.post("/Services", FriendlyName="x").json["sid"])
    )
    fill(client, 998, client.chat())
    client.chat("the last")
    refuses(client, {"Identity": "one more"}, 50417)


def test_fifty_of_them_are_no_chat_users(server: Server, form_api: Api) -> None:
    client = ConversationClient.make(server, form_api)
    proxy = phone_number()
    member = client.add({ADDRESS: phone_number(), PROXY_ADDRESS: proxy})
    fill(client, 49, member)
    refuses(client, {ADDRESS: phone_number(), PROXY_ADDRESS: proxy}, 50418)
    client.chat()


def test_an_identity_is_in_a_thousand_open_conversations(server: Server, api: Api) -> None:
    service = api.service(api.post("/Services", FriendlyName="x").json["sid"])
    client = ConversationClient.make(server, service)
    member = client.chat("busy")
    fill(client, 999, member, spread=True)
    other = ConversationClient.make(server, service)
    refuses(other, {"Identity": "busy"}, 50214)
    other.chat("idle")
    service.post(f"/Conversations/{client.sid}", State="closed").expect(200)
    other.chat("busy")
