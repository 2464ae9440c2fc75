"""A plain model of a service: the rules of its documentation, in memory.

Every `refusal_…` returns the error code that a request must get, or None; the other methods apply
a valid request. Nothing here is taken from the server's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TAKEN, CLOSED = 50353, 50377
MEMBER_TWICE, PAIR_TAKEN, WRONG_ROLE = 50433, 50416, 50109
NO_PLAIN_CHAT_IN_GROUP, NO_PROJECTED, PROJECTED_WITH_ADDRESS = 50434, 50442, 50443
NO_SUCH_IDENTITY_CHANGE, MUST_BE_MEMBER, GROUP_TOO_LARGE = 50444, 50513, 50436
GROUP_MAX = 10


@dataclass
class ModelParticipant:
    """A participant: a chat identity, an address with a proxy, or a projected address."""

    sid: str = ""
    identity: str | None = None
    address: str | None = None
    proxy: str | None = None
    projected: str | None = None
    role: str | None = None
    horizon: int | None = None

    def binding(self) -> dict[str, str] | None:
        """Return its messaging binding, as in a response."""
        if self.projected is not None:
            return {"type": "sms", "projected_address": self.projected}
        if self.address is None or self.proxy is None:
            return None
        kind = "whatsapp" if self.address.startswith("whatsapp:") else "sms"
        return {"type": kind, "address": self.address, "proxy_address": self.proxy}


@dataclass
class ModelMessage:
    """A message and its author's participant at that time."""

    sid: str
    index: int
    author: str
    participant_sid: str | None


@dataclass
class ModelConversation:
    """A conversation."""

    sid: str
    name: str | None
    state: str
    participants: list[ModelParticipant] = field(default_factory=list)
    messages: list[ModelMessage] = field(default_factory=list)
    next_index: int = 0

    @property
    def is_group(self) -> bool:
        """Return whether it has the rules of a group."""
        return any(person.projected for person in self.participants)

    @property
    def is_sent_as_group(self) -> bool:
        """Two with addresses exchange plain texts; from the third on they are a group."""
        return (
            self.is_group and sum(person.binding() is not None for person in self.participants) > 2
        )

    def person(self, identity: str) -> ModelParticipant | None:
        """Return the participant with this identity."""
        return next((each for each in self.participants if each.identity == identity), None)

    def author(self, author: str) -> str | None:
        """Return the SID of the author's participant."""
        found = (self.person(author), *self.participants)
        names = ((p.sid, {p.identity, p.address, p.projected}) for p in found if p)
        return next((sid for sid, named in names if author in named), None)

    def unread(self, person: ModelParticipant) -> int | None:
        """Return the number of messages above a participant's horizon."""
        if person.horizon is None:
            return None
        return sum(message.index > person.horizon for message in self.messages)


class ServiceModel:
    """A service: its conversations, its users, its roles."""

    def __init__(self, default_role: str) -> None:
        """Start without users."""
        self.default_role = default_role
        self.conversations: list[ModelConversation] = []
        self.users: set[str] = set()
        self.roles: list[str] = []

    # --- Conversations.

    def refusal_to_name(self, name: str | None, own: ModelConversation | None = None) -> int | None:
        """Unique names are unique, also in closed conversations."""
        taken = any(
            conversation.name == name and conversation is not own
            for conversation in self.conversations
        )
        return TAKEN if name is not None and taken else None

    def refusal_to_change(self, conversation: ModelConversation) -> int | None:
        """The closed state is final."""
        return CLOSED if conversation.state == "closed" else None

    # --- Participants.

    def refusal_to_add(
        self, conversation: ModelConversation, person: ModelParticipant
    ) -> int | None:
        """Check state, role, pair, group, identity, in this order."""
        if conversation.state == "closed":
            return CLOSED
        if person.role is not None and person.role not in self.roles:
            return WRONG_ROLE
        if person.address is not None and self.holder(person) is not None:
            return PAIR_TAKEN
        if conversation.is_group and person.binding() is None:
            return NO_PLAIN_CHAT_IN_GROUP
        if (conversation.is_group or person.projected) and len(
            conversation.participants
        ) >= GROUP_MAX:
            return GROUP_TOO_LARGE
        known = person.identity is not None and conversation.person(person.identity) is not None
        return MEMBER_TWICE if known else None

    def holder(self, person: ModelParticipant) -> ModelConversation | None:
        """Return the open conversation in which a pair of addresses is bound."""
        pair = (person.address, person.proxy)
        there = (
            conversation for conversation in self.conversations if conversation.state != "closed"
        )
        return next(
            (t for t in there if pair in {(p.address, p.proxy) for p in t.participants}), None
        )

    def add(self, conversation: ModelConversation, person: ModelParticipant) -> None:
        """A new identity becomes a user; all but bare projected addresses get a role."""
        if person.identity is not None:
            self.users.add(person.identity)
        is_bare = person.identity is None and person.projected is not None
        person.role = person.role or (None if is_bare else self.default_role)
        conversation.participants.append(person)

    def refusal_to_project(
        self, conversation: ModelConversation, person: ModelParticipant, projected: str | None
    ) -> int | None:
        """A projected address is for chat participants; its removal requires an identity."""
        if conversation.state == "closed":
            return CLOSED
        if projected is not None:
            return PROJECTED_WITH_ADDRESS if person.address is not None else None
        if person.projected is None or person.identity is None:
            return NO_PROJECTED
        return None

    def refusal_to_identify(
        self, conversation: ModelConversation, person: ModelParticipant, identity: str
    ) -> int | None:
        """An identity can be attached to a bare projected address."""
        if conversation.state == "closed":
            return CLOSED
        if person.projected is None or person.identity is not None:
            return NO_SUCH_IDENTITY_CHANGE
        return MEMBER_TWICE if conversation.person(identity) else None

    def identify(self, person: ModelParticipant, identity: str) -> None:
        """The address now has an identity, with a role."""
        self.users.add(identity)
        person.identity = identity
        person.role = person.role or self.default_role

    def read_up_to(
        self, conversation: ModelConversation, person: ModelParticipant, index: int | None
    ) -> None:
        """The horizon is never above the newest index."""
        newest = conversation.next_index - 1
        person.horizon = None if index is None or newest < 0 else min(index, newest)

    # --- Messages.

    def refusal_to_send(self, conversation: ModelConversation, author: str) -> int | None:
        """In a group an author is a member."""
        if conversation.state == "closed":
            return CLOSED
        is_unknown = conversation.is_sent_as_group and conversation.author(author) is None
        return MUST_BE_MEMBER if is_unknown else None

    def send(self, conversation: ModelConversation, sid: str, author: str) -> ModelMessage:
        """Add a message with the next index; an inactive conversation becomes active."""
        message = ModelMessage(sid, conversation.next_index, author, conversation.author(author))
        conversation.messages.append(message)
        conversation.next_index += 1
        conversation.state = "active"
        return message

    # --- Users and roles.

    def remove_user(self, identity: str) -> None:
        """Remove the user from all conversations, also closed ones; its messages stay."""
        self.users.discard(identity)
        for conversation in self.conversations:
            conversation.participants = [
                each for each in conversation.participants if each.identity != identity
            ]

    def remove_role(self, role: str) -> None:
        """Delete a role; its holders get the default."""
        self.roles.remove(role)
        for person in (
            each for conversation in self.conversations for each in conversation.participants
        ):
            if person.role == role:
                person.role = self.default_role
