"""Who may see which realtime object. What may not be seen looks like what does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.resources.conversations import store as conversation_store
from parlour.resources.participants import store as participant_store
from parlour.resources.users import store as user_store
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.realtime.session import Session
    from parlour.store.transaction import Transaction


class _Place(NamedTuple):
    """What a user is to a conversation."""

    is_creator: bool
    is_in: bool


class Visibility:
    """What one user sees in one read snapshot; a conversation is looked up once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._places: dict[str, _Place | None] = {}

    async def seen(self, tx: Transaction, candidates: Iterable[ObjectName]) -> ObjectName | None:
        """The one of several possible objects that is there for this user."""
        for name in candidates:
            if await self.may_see(tx, name):
                return name
        return None

    async def may_see(self, tx: Transaction, name: ObjectName) -> bool:
        """Whether this user may read the object, and so whether it exists for this user."""
        if name.kind is ObjectKind.MY_CONVERSATIONS:
            return name.owner_sid == self._session.user_sid
        if name.kind is ObjectKind.USER_INFO:
            return await user_store.find_user(tx, self._session.scope, name.owner_sid) is not None
        place = await self._place(tx, name.owner_sid)
        if place is None:
            return False
        # Before it joins, a creator needs the document to have a conversation to join.
        return place.is_in or (place.is_creator and name.kind is ObjectKind.CONVERSATION)

    async def _place(self, tx: Transaction, conversation_sid: str) -> _Place | None:
        if conversation_sid not in self._places:
            self._places[conversation_sid] = await self._looked_up(tx, conversation_sid)
        return self._places[conversation_sid]

    async def _looked_up(self, tx: Transaction, conversation_sid: str) -> _Place | None:
        scope, identity = self._session.scope, self._session.identity
        conversation = await conversation_store.find_conversation(tx, scope, conversation_sid)
        if conversation is None:
            return None
        found = await participant_store.find_participant_by_identity(
            tx, scope, conversation_sid, identity
        )
        return _Place(conversation.created_by == identity, found is not None)
