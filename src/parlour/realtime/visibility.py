"""Visibility of realtime objects: an invisible object is indistinguishable from a missing one."""

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


class _Membership(NamedTuple):
    """The relation of a user to a conversation."""

    is_creator: bool
    is_participant: bool


class Visibility:
    """The visible objects of one user in one snapshot; each conversation is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._memberships: dict[str, _Membership | None] = {}

    async def first_visible(
        self, tx: Transaction, candidates: Iterable[ObjectName]
    ) -> ObjectName | None:
        """Return the first candidate that is visible to the user."""
        for name in candidates:
            if await self.is_visible(tx, name):
                return name
        return None

    async def is_visible(self, tx: Transaction, name: ObjectName) -> bool:
        """Whether the user may read the object, and so whether it exists for the user."""
        if name.kind is ObjectKind.MY_CONVERSATIONS:
            return name.owner_sid == self._session.user_sid
        if name.kind is ObjectKind.USER_INFO:
            return await user_store.find_user(tx, self._session.scope, name.owner_sid) is not None
        membership = await self._membership(tx, name.owner_sid)
        if membership is None:
            return False
        # Before it joins, a creator needs the document to have a conversation to join.
        return membership.is_participant or (
            membership.is_creator and name.kind is ObjectKind.CONVERSATION
        )

    async def _membership(self, tx: Transaction, conversation_sid: str) -> _Membership | None:
        if conversation_sid not in self._memberships:
            self._memberships[conversation_sid] = await self._load(tx, conversation_sid)
        return self._memberships[conversation_sid]

    async def _load(self, tx: Transaction, conversation_sid: str) -> _Membership | None:
        scope, identity = self._session.scope, self._session.identity
        conversation = await conversation_store.find_conversation(tx, scope, conversation_sid)
        if conversation is None:
            return None
        found = await participant_store.find_participant_by_identity(
            tx, scope, conversation_sid, identity
        )
        return _Membership(conversation.created_by == identity, found is not None)
