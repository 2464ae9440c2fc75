"""A conversation with two participants, made over REST, and the names of its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.twilsock_client import Socket, make_token

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


def connected(server: Server, identity: str, **form: str) -> Socket:
    """Return a connection of a user."""
    socket = Socket.to(server)
    assert socket.init(make_token(server, identity, **form)).header["status"]["code"] == 200
    return socket


@dataclass(frozen=True)
class SampleConversation:
    """A conversation of alice and bob."""

    api: Api
    sid: str

    @classmethod
    def made(cls, api: Api, *identities: str, **form: str) -> SampleConversation:
        """Return a new conversation with these participants."""
        sid = api.post("/Conversations", **form).expect(201)["sid"]
        sample = cls(api, sid)
        for identity in identities or ("alice", "bob"):
            sample.add(identity)
        return sample

    @property
    def path(self) -> str:
        """The path of the conversation."""
        return f"/Conversations/{self.sid}"

    def add(self, identity: str) -> dict[str, Any]:
        """Add a participant."""
        made: dict[str, Any] = self.api.post(f"{self.path}/Participants", Identity=identity).expect(
            201
        )
        return made

    def add_message(self, body: str, author: str = "bob") -> dict[str, Any]:
        """Add a message."""
        made: dict[str, Any] = self.api.post(
            f"{self.path}/Messages", Author=author, Body=body
        ).expect(201)
        return made

    def subscribe(self, socket: Socket) -> dict[str, dict[str, Any]]:
        """Open the three objects and subscribe to them as the client does."""
        opened = {
            "channel": socket.open("Documents", f"{self.sid}.channel"),
            "messages": socket.open("Lists", f"{self.sid}.messages"),
            "roster": socket.open("Maps", f"{self.sid}.roster"),
        }
        types = {"channel": "document", "messages": "list", "roster": "map"}
        socket.subscribe(
            *((types[key], each["sid"], each["last_event_id"]) for key, each in opened.items())
        )
        established = socket.next_event("subscription_established")
        assert len(established["events"]) == 3
        return opened


def my_map(server: Server, socket: Socket, api: Api, identity: str) -> dict[str, Any]:
    """Open a user's map of conversations and subscribe to it."""
    del server
    user_sid = api.get(f"/Users/{identity}").expect(200)["sid"]
    opened = socket.open("Maps", f"{user_sid}.myConversations")
    socket.subscribe(("map", opened["sid"], opened["last_event_id"]))
    socket.next_event("subscription_established")
    return opened
