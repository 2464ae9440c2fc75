"""Items of realtime objects: cursor pagination, in order of their keys.

A page starts at a key, inclusive, which need not exist, and goes in either direction. A page token
encodes the whole cursor (order, size, direction, key), since clients send the token alone. It is
not secret: access is checked for every request.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from parlour.resources.messages import representation as message_representation
from parlour.resources.messages import store as message_store
from parlour.resources.participants import representation as participant_representation
from parlour.resources.participants import roster as participant_roster
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import representation as user_representation
from parlour.resources.users import store as user_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parlour.realtime.session import Session
    from parlour.store.transaction import Transaction

Key = str | int

_FIRST: Final = ""
_LAST: Final = "\U0010ffff"
_INDEX_LAST: Final = (1 << 62) - 1


class Item(NamedTuple):
    """One item: key, value, and creation and update time (ms since 1970)."""

    key: Key
    value: Any
    created_ms: int
    updated_ms: int


class ItemCursor(msgspec.Struct, frozen=True, array_like=True):
    """A page: ``key`` is its first key, or, ``backwards``, the exclusive end."""

    descending: bool
    size: Annotated[int, msgspec.Meta(ge=1, le=limits.ITEMS_PER_PAGE_MAX)]
    key: str | Annotated[int, msgspec.Meta(ge=-_INDEX_LAST, le=_INDEX_LAST)] | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Items in the requested order, and the cursors of the adjacent pages."""

    items: list[Item]
    size: int
    previous: ItemCursor | None
    next: ItemCursor | None
    cursor: ItemCursor | None = None
    """The requested cursor; None for a single item."""


_cursor_decoder = msgspec.json.Decoder(ItemCursor)


def write_token(cursor: ItemCursor | None) -> str | None:
    """Return the token of a page."""
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def parse_token(text: str) -> ItemCursor | None:
    """Return the cursor of a token; None if it is invalid."""
    try:
        cursor = _cursor_decoder.decode(base64.urlsafe_b64decode(text))
    except (ValueError, RecursionError):
        return None
    is_text = isinstance(cursor.key, str)
    return None if cursor.key is None or (is_text and "\0" in str(cursor.key)) else cursor


async def fetch_page(
    tx: Transaction, session: Session, name: ObjectName, cursor: ItemCursor
) -> ItemPage | None:
    """Return one page of an object's items; None if the key has the wrong type."""
    first = first_key(name.kind, descending=cursor.descending) if cursor.key is None else cursor.key
    if isinstance(first, int) != (name.kind is ObjectKind.MESSAGES):
        return None
    if cursor.backwards:
        return await _read_backwards(tx, session, name, cursor, first)
    found = await read_items(
        tx, session, name, first, cursor.size + 1, descending=cursor.descending
    )
    shown, more = found[: cursor.size], found[cursor.size :]
    start = shown[0].key if shown else first
    following = ItemCursor(cursor.descending, cursor.size, more[0].key) if more else None
    previous = await _previous(tx, session, name, cursor, start)
    return ItemPage(shown, cursor.size, previous, following, cursor)


async def _previous(
    tx: Transaction, session: Session, name: ObjectName, cursor: ItemCursor, start: Key
) -> ItemCursor | None:
    """Return the cursor of the page before a key, if there are items before it."""
    # Two: the item with the key itself, if it exists, and one before it.
    behind = await read_items(tx, session, name, start, 2, descending=not cursor.descending)
    if any(item.key != start for item in behind):
        return ItemCursor(cursor.descending, cursor.size, start, backwards=True)
    return None


async def _read_backwards(
    tx: Transaction, session: Session, name: ObjectName, cursor: ItemCursor, end: Key
) -> ItemPage:
    # Two more: the item at the exclusive end, and one that shows whether another page precedes.
    behind = await read_items(
        tx, session, name, end, cursor.size + 2, descending=not cursor.descending
    )
    behind = [item for item in behind if item.key != end]
    shown = behind[: cursor.size][::-1]
    more = len(behind) > cursor.size
    previous = (
        ItemCursor(cursor.descending, cursor.size, shown[0].key, backwards=True) if more else None
    )
    following = ItemCursor(cursor.descending, cursor.size, end)
    return ItemPage(shown, cursor.size, previous, following, cursor)


def truncate_page(
    page: ItemPage, show: Callable[[Item], bytes]
) -> tuple[ItemPage, list[msgspec.Raw]]:
    """Represent the items of a page, as many as fit CLIENT_PAGE_BYTES_MAX together.

    The remaining items are on the next page, or on the previous one if the page was requested by
    its end. A page has at least one item.
    """
    cursor = page.cursor
    backwards = cursor is not None and cursor.backwards
    order = page.items[::-1] if backwards else page.items
    shown: list[msgspec.Raw] = []
    size_bytes = 0
    for item in order:
        row = show(item)
        size_bytes += len(row)
        if shown and size_bytes > limits.CLIENT_PAGE_BYTES_MAX:
            break
        shown.append(msgspec.Raw(row))
    count = len(shown)
    if cursor is None or count == len(order):
        return page, shown[::-1] if backwards else shown
    if backwards:
        remaining = page.items[-count:]
        before = ItemCursor(cursor.descending, cursor.size, remaining[0].key, backwards=True)
        return replace(page, items=remaining, previous=before), shown[::-1]
    after = ItemCursor(cursor.descending, cursor.size, order[count].key)
    return replace(page, items=order[:count], next=after), shown


def first_key(kind: ObjectKind, *, descending: bool) -> Key:
    """Return a key before all others, in the requested order."""
    if kind is ObjectKind.MESSAGES:
        return _INDEX_LAST if descending else 0
    return _LAST if descending else _FIRST


async def find_item(tx: Transaction, session: Session, name: ObjectName, key: Key) -> Item | None:
    """Return the item with this key, or None."""
    found = await read_items(tx, session, name, key, 1, descending=False)
    return found[0] if found and found[0].key == key else None


async def read_items(
    tx: Transaction,
    session: Session,
    name: ObjectName,
    first: Key,
    count: int,
    *,
    descending: bool,
) -> list[Item]:
    """Return up to ``count`` items from a key on, in either direction."""
    if name.kind is ObjectKind.MESSAGES:
        assert isinstance(first, int)
        return await _message_items(
            tx, session, name.owner_sid, first, count, descending=descending
        )
    assert isinstance(first, str)
    if name.kind is ObjectKind.ROSTER:
        return await _roster_items(tx, session, name.owner_sid, first, count, descending=descending)
    if name.kind is ObjectKind.MY_CONVERSATIONS:
        return await _my_conversations(tx, session, first, count, descending=descending)
    assert name.kind is ObjectKind.USER_INFO
    return _slice(
        await user_items(tx, session, name.owner_sid), first, count, descending=descending
    )


async def _message_items(
    tx: Transaction, session: Session, sid: str, first: int, count: int, *, descending: bool
) -> list[Item]:
    found = await message_store.list_messages_from_index(
        tx, session.scope, sid, min(first, _INDEX_LAST), count, descending=descending
    )
    return [
        Item(
            each.message_index,
            message_representation.realtime_item(each),
            each.date_created,
            each.date_updated,
        )
        for each in found
    ]


async def _roster_items(
    tx: Transaction, session: Session, sid: str, first: str, count: int, *, descending: bool
) -> list[Item]:
    found = await participant_roster.list_members_from(
        tx, session.scope, sid, first, count, descending=descending
    )
    return [
        Item(
            each.participant.sid,
            participant_representation.realtime_item(each.participant, each.user_sid),
            each.participant.date_created,
            each.participant.date_updated,
        )
        for each in found
    ]


async def _my_conversations(
    tx: Transaction, session: Session, first: str, count: int, *, descending: bool
) -> list[Item]:
    found = await participant_roster.list_memberships_from(
        tx, session.scope, session.identity, first, count, descending=descending
    )
    return [
        Item(
            each.conversation_sid,
            participant_representation.my_conversation_item(each),
            each.date_created,
            each.date_updated,
        )
        for each in found
    ]


async def user_items(tx: Transaction, session: Session, user_sid: str) -> list[Item]:
    """Return all items of a user's map of properties."""
    user = await user_store.find_user(tx, session.scope, user_sid)
    if user is None:
        return []
    configuration = await service_configuration_store.get_service_configuration(tx, session.scope)
    shown = user_representation.realtime_items(
        user, shows_reachability=bool(configuration.reachability_enabled)
    )
    return [Item(key, value, user.date_created, user.date_updated) for key, value in shown.items()]


def _slice(found: Sequence[Item], first: str, count: int, *, descending: bool) -> list[Item]:
    def is_from(item: Item) -> bool:
        key = str(item.key)
        return key <= first if descending else key >= first

    ordered = sorted(found, key=lambda item: str(item.key), reverse=descending)
    return [each for each in ordered if is_from(each)][:count]


def parse_key(kind: ObjectKind, text: str) -> Key | None:
    """Return the key in a parameter; None if the object has no such keys."""
    if kind is ObjectKind.MESSAGES:
        is_number = text.isascii() and text.isdecimal() and len(text) <= limits.INDEX_DIGITS_MAX
        return int(text) if is_number else None
    if kind is ObjectKind.USER_INFO:
        return text
    owner = sids.PARTICIPANT if kind is ObjectKind.ROSTER else sids.CONVERSATION
    return text if sids.is_sid(owner, text) else None
