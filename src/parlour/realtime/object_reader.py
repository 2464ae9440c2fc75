"""Reads of realtime objects and their items, each from one snapshot.

The number of an object is the number of the log's last visible event at the read: the state
contains every change up to it, and later changes have higher numbers. So a client that subscribes
with this number misses no change and gets none twice.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parlour.protocol import sync_events
from parlour.protocol.forms import decode_path_segment
from parlour.protocol.timestamps import format_date_ms
from parlour.realtime import items
from parlour.realtime.session import TunnelReply
from parlour.realtime.visibility import Visibility
from parlour.resources.conversations import representation as conversation_representation
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import store as message_store
from parlour.resources.users import store as user_store
from parlour.store import event_log
from parlour.vocabulary import limits, realtime_objects
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.realtime.items import Item, ItemPage
    from parlour.realtime.session import Session, TunnelRequest
    from parlour.store.transaction import Store, Transaction

_TYPES: Final = {
    "Documents": realtime_objects.DOCUMENT,
    "Lists": realtime_objects.LIST,
    "Maps": realtime_objects.MAP,
}
_ITEMS_PARTS: Final = 5
_PATH_PARTS: Final = (4, _ITEMS_PARTS)
# Codes of the hosted service: an unknown sid of each type, and an unknown name.
NOT_FOUND_CODES: Final = {
    realtime_objects.DOCUMENT: 54100,
    realtime_objects.LIST: 54150,
    realtime_objects.MAP: 54200,
    "stream": 54250,
}
_NAME_NOT_FOUND: Final = 54300
_INVALID: Final = 54000
_TITLES: Final = {
    realtime_objects.DOCUMENT: "Document",
    realtime_objects.LIST: "List",
    realtime_objects.MAP: "Map",
    "stream": "Message Stream",  # Sync clients may request streams; there are none.
}


class _Times(NamedTuple):
    created_ms: int
    updated_ms: int


def json_reply(
    status: int, body: Any, after_reply: Callable[[], Awaitable[None]] | None = None
) -> TunnelReply:
    """Return a JSON reply, with work to do once it is sent."""
    return TunnelReply(status=status, body=sync_events.encode(body), after_reply=after_reply)


def error_reply(status: int, code: int, message: str) -> TunnelReply:
    """Return an error in the format of the clients' Sync library."""
    return json_reply(status, {"status": status, "code": code, "message": message})


def not_found_error(type_: str) -> dict[str, Any]:
    """Return the error of an object that does not exist, is invisible or has an unknown type."""
    if type_ not in _TITLES:
        return {"status": 400, "code": _INVALID, "message": "Invalid object type"}
    message = f"{_TITLES[type_]} not found"
    return {"status": 404, "code": NOT_FOUND_CODES[type_], "message": message}


class ObjectReader:
    """Handle requests below ``/v3/``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self, session: Session, request: TunnelRequest) -> TunnelReply:
        """Handle one request. Clients can only read."""
        parts = request.path.split("/")
        type_ = _TYPES.get(parts[2]) if len(parts) in _PATH_PARTS else None
        is_of_items = len(parts) == _ITEMS_PARTS
        if type_ is None or (
            is_of_items and (parts[4] != "Items" or type_ == realtime_objects.DOCUMENT)
        ):
            return error_reply(HTTPStatus.NOT_FOUND, _NAME_NOT_FOUND, "Not found")
        if request.method != "GET":
            return error_reply(HTTPStatus.METHOD_NOT_ALLOWED, _INVALID, "Method not allowed")
        text = decode_path_segment(parts[3]) or ""
        candidates = _candidates(type_, text)

        async def read(tx: Transaction) -> TunnelReply:
            name = await Visibility(session).first_visible(tx, candidates)
            if name is None:
                return _not_found_reply(type_, text)
            if is_of_items:
                return await _items_reply(tx, session, name, request)
            includes = "items" in request.params.get("Include", ())
            return json_reply(
                HTTPStatus.OK, await _object_body(tx, session, name, includes_items=includes)
            )

        return await self._store.read(read, account_sid=session.scope.account_sid)


def _candidates(type_: str, text: str) -> tuple[ObjectName, ...]:
    """Return the objects that a path may name."""
    named = realtime_objects.parse_name(text)
    if named is not None and named.kind.type == type_:
        return (named,)
    return realtime_objects.candidates_for_sid(type_, text)


def objects_of_items_request(request: TunnelRequest) -> tuple[ObjectName, ...]:
    """Return the objects whose items a request may read."""
    parts = request.path.split("/")
    if len(parts) != _ITEMS_PARTS or parts[1] != "v3" or parts[4] != "Items":
        return ()
    type_ = _TYPES.get(parts[2])
    return () if type_ is None else _candidates(type_, decode_path_segment(parts[3]) or "")


def _not_found_reply(type_: str, text: str) -> TunnelReply:
    if "." in text:
        return error_reply(HTTPStatus.NOT_FOUND, _NAME_NOT_FOUND, "Unique name not found")
    return json_reply(HTTPStatus.NOT_FOUND, not_found_error(type_))


async def _object_body(
    tx: Transaction, session: Session, name: ObjectName, *, includes_items: bool
) -> dict[str, Any]:
    """Return an object; documents with their value, maps with their items on request."""
    number = await event_log.visible_through(tx)
    times = await _times(tx, session, name)
    url = sync_events.object_url(name.kind, name.sid)
    shown: dict[str, Any] = {
        "sid": name.sid,
        "unique_name": name.unique_name,
        "account_sid": session.scope.account_sid,
        "service_sid": session.scope.service_sid,
        "url": url,
        "revision": sync_events.revision(number),
        "last_event_id": number,
        "date_created": format_date_ms(times.created_ms),
        "date_updated": format_date_ms(times.updated_ms),
        "date_expires": None,
        "created_by": "system",
    }
    if name.kind is ObjectKind.CONVERSATION:
        return shown | {"links": {}, "data": await document(tx, session, name.owner_sid)}
    shown["links"] = {"items": f"{url}/Items"}
    if includes_items and name.kind is ObjectKind.USER_INFO:
        found = await items.user_items(tx, session, name.owner_sid)
        shown["items"] = [_item_body(name, each, number) for each in found]
    return shown


async def document(tx: Transaction, session: Session, conversation_sid: str) -> dict[str, Any]:
    """Return the value of a conversation's document."""
    conversation = await conversation_store.find_conversation(tx, session.scope, conversation_sid)
    assert conversation is not None, conversation_sid
    last = await message_store.find_last_message(tx, session.scope, conversation_sid)
    return conversation_representation.realtime_document(conversation, last)


async def _times(tx: Transaction, session: Session, name: ObjectName) -> _Times:
    if name.kind in {ObjectKind.MY_CONVERSATIONS, ObjectKind.USER_INFO}:
        user = await user_store.find_user(tx, session.scope, name.owner_sid)
        assert user is not None, name
        return _Times(user.date_created, user.date_updated)
    conversation = await conversation_store.find_conversation(tx, session.scope, name.owner_sid)
    assert conversation is not None, name
    return _Times(conversation.date_created, conversation.date_updated)


async def _items_reply(
    tx: Transaction, session: Session, name: ObjectName, request: TunnelRequest
) -> TunnelReply:
    """Return a page of items, or the item with the requested key."""
    number = await event_log.visible_through(tx)
    page = await _read_page(tx, session, name, request)
    if page is None:
        return error_reply(HTTPStatus.BAD_REQUEST, _INVALID, "Invalid page parameters")
    # For the order of replies: the snapshot may contain changes above the safe mark too.
    newest = await event_log.newest_sequence(tx)
    page, shown = items.truncate_page(
        page, lambda item: sync_events.encode(_item_body(name, item, number))
    )
    url = f"{sync_events.object_url(name.kind, name.sid)}/Items"
    page_reply = json_reply(
        HTTPStatus.OK,
        {
            "items": shown,
            "meta": {
                "previous_token": items.write_token(page.previous),
                "next_token": items.write_token(page.next),
                "page_size": page.size,
                "url": url,
                "first_page_url": url,
                "key": "items",
            },
        },
    )
    return replace(page_reply, newest_sequence=newest)


async def _read_page(
    tx: Transaction, session: Session, name: ObjectName, request: TunnelRequest
) -> ItemPage | None:
    params = {
        key: decode_path_segment(values[-1]) or ""
        for key, values in request.params.items()
        if values
    }
    one = params.get("Key", params.get("Index"))
    if one is not None:
        key = items.parse_key(name.kind, one)
        found = None if key is None else await items.find_item(tx, session, name, key)
        return items.ItemPage([] if found is None else [found], limits.ITEMS_PER_PAGE, None, None)
    cursor = _parse_cursor(name, params)
    return None if cursor is None else await items.fetch_page(tx, session, name, cursor)


def _parse_cursor(name: ObjectName, params: dict[str, str]) -> items.ItemCursor | None:
    token = params.get("PageToken")
    if token is not None:
        return items.parse_token(token)
    order = params.get("Order", "asc")
    size = params.get("PageSize", str(limits.ITEMS_PER_PAGE))
    if order not in {"asc", "desc"} or not (size.isascii() and size.isdecimal()):
        return None
    if int(size[: limits.INDEX_DIGITS_MAX]) < 1:
        return None
    key: items.Key | None = None
    if "From" in params:
        key = _parse_from(name.kind, params["From"])
        if key is None:
            return None
    size_max = min(int(size[: limits.INDEX_DIGITS_MAX]), limits.ITEMS_PER_PAGE_MAX)
    return items.ItemCursor(order == "desc", size_max, key)


def _parse_from(kind: ObjectKind, text: str) -> items.Key | None:
    """Return the first key of a page: any string for maps, any number for lists."""
    if kind is not ObjectKind.MESSAGES:
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= limits.INDEX_DIGITS_MAX):
        return None
    return int(text)


def _item_body(name: ObjectName, item: Item, number: int) -> dict[str, Any]:
    kind, sid = name.kind, name.sid
    return {
        "index" if kind.type == realtime_objects.LIST else "key": item.key,
        f"{kind.type}_sid": sid,
        "url": sync_events.item_url(kind, sid, item.key),
        "revision": sync_events.revision(number),
        "last_event_id": number,
        "date_created": format_date_ms(item.created_ms),
        "date_updated": format_date_ms(item.updated_ms),
        "date_expires": None,
        "data": item.value,
    }
