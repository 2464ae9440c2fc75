"""A conversation with participants of each kind, for tests of one participant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.phone_numbers import PROXY, phone_number
from tests.support.server_database import events

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.support.client import Api, ApiResponse, Fields
    from tests.support.server import Server

ADDRESS = "MessagingBinding.Address"
PROXY_ADDRESS = "MessagingBinding.ProxyAddress"
PROJECTED_ADDRESS = "MessagingBinding.ProjectedAddress"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# Long ago, so that any later change of the date is visible.
IMPORTED = {"DateCreated": "2020-01-01T00:00:00Z", "DateUpdated": "2020-01-02T00:00:00Z"}

Participant = dict[str, Any]


@dataclass
class ConversationClient:
    """One conversation, in one of the two forms of its path."""

    server: Server
    api: Api
    resource: dict[str, Any]

    @classmethod
    def make(cls, server: Server, api: Api, **form: str) -> ConversationClient:
        """Create a conversation."""
        return cls(server, api, api.post("/Conversations", form).expect(201))

    @property
    def sid(self) -> str:
        """The conversation's sid."""
        sid: str = self.resource["sid"]
        return sid

    @property
    def path(self) -> str:
        """The path of its participants."""
        return f"/Conversations/{self.sid}/Participants"

    def add(self, form: Mapping[str, str]) -> Participant:
        """Create a participant, dated in 2020."""
        made: Participant = self.api.post(self.path, {**IMPORTED, **form}).expect(201)
        return made

    def chat(self, identity: str = "alice") -> Participant:
        """Create a participant with an identity only."""
        return self.add({"Identity": identity})

    def phone(self) -> Participant:
        """Create a participant that is reached by SMS through a proxy address."""
        return self.add({ADDRESS: phone_number(), PROXY_ADDRESS: PROXY})

    def whatsapp(self) -> Participant:
        """Create a participant that is reached by WhatsApp."""
        number = f"whatsapp:{phone_number()}"
        return self.add({ADDRESS: number, PROXY_ADDRESS: f"whatsapp:{PROXY}"})

    def bare(self) -> Participant:
        """Create a participant with a projected address and without an identity."""
        return self.add({PROJECTED_ADDRESS: phone_number()})

    def projected(self, identity: str = "alice") -> Participant:
        """Create a participant with an identity and a projected address."""
        return self.add({"Identity": identity, PROJECTED_ADDRESS: phone_number()})

    def native(self) -> Participant:
        """Create a participant with an address and no proxy, for groups."""
        self.bare()
        return self.add({ADDRESS: phone_number()})

    def of_kind(self, kind: str) -> Participant:
        """Create a participant of the named kind."""
        made: Participant = getattr(self, kind)()
        return made

    def default_role(self) -> str:
        """Return the default role of a participant of this service."""
        service = self.api.under("/v1").service(self.resource["chat_service_sid"])
        sid: str = service.get("/Configuration").expect(200)["default_conversation_role_sid"]
        return sid

    def send_messages(self, count: int) -> None:
        """Create this many messages."""
        for number in range(count):
            body = str(number)
            self.api.post(f"/Conversations/{self.sid}/Messages", Body=body).expect(201)

    def update(self, participant: Participant, form: Fields) -> ApiResponse:
        """Update a participant and return the response."""
        return self.api.post(f"{self.path}/{participant['sid']}", form)

    def fetch(self, participant: Participant) -> bytes:
        """Return the participant's record, byte for byte."""
        answer = self.api.get(f"{self.path}/{participant['sid']}")
        answer.expect(200)
        return answer.body

    def accepts(
        self,
        participant: Participant,
        form: Fields,
        expected: Mapping[str, Any],
        but: Collection[str] = (),
    ) -> Participant:
        """Check that an update changes the expected keys only; `but` lists keys not to compare."""
        before = self.api.get(f"{self.path}/{participant['sid']}").expect(200)
        answer = self.update(participant, form)
        after: Participant = answer.expect(200)
        assert answer.body == self.fetch(participant)
        assert list(after) == list(before)
        assert DATE.fullmatch(after["date_updated"])
        if "date_updated" not in expected:
            assert after["date_updated"] > "2025"
        wanted = {**before, "date_updated": after["date_updated"], **expected}
        assert {k: v for k, v in after.items() if k not in but} == {
            k: v for k, v in wanted.items() if k not in but
        }
        return after

    def refuses(
        self, participant: Participant, form: Fields, code: int, status: int = 400
    ) -> dict[str, Any]:
        """Check that an update is rejected, and changes neither participant nor event log."""
        before, events_before = self.fetch(participant), self.events()
        error: dict[str, Any] = self.update(participant, form).refuses(status, code)
        assert self.fetch(participant) == before
        assert self.events() == events_before
        return error

    def events(self) -> list[tuple[str, bool]]:
        """Return the events of the requests so far: name, and whether webhooks may receive it."""
        events_before = events(self.server, self.resource["account_sid"], self.sid)
        # Receipts change in the background, some time after a message.
        return [each for each in events_before if each[0] != "onDeliveryUpdated"]


def make_role(api: Api, kind: str = "conversation") -> str:
    """Create a role of the service of `api`; return its sid."""
    permission = {"conversation": "sendMessage", "service": "joinConversation"}[kind]
    form = {"FriendlyName": "made", "Type": kind, "Permission": permission}
    sid: str = api.post("/Roles", form).expect(201)["sid"]
    return sid
