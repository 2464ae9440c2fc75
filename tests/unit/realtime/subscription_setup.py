"""Subscriptions of one connection whose collaborators are replaced, and requests to them."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.caller import Caller
from parlour.protocol.access_tokens import AccessToken
from parlour.realtime import subscriptions
from parlour.realtime.hub import HeldNotifications, Hub, UserKey
from parlour.realtime.last_changed import LastChanged
from parlour.realtime.session import Session, TunnelRequest
from parlour.realtime.subscriptions import Subscriptions
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

ACCOUNT_SID = "AC" + "0" * 32
SCOPE = Scope(ACCOUNT_SID, "IS" + "0" * 32)
USER_SID = "US" + "0" * 31 + "1"
POSITION = 100
"""The last published event."""


def conversation(number: int) -> str:
    return f"CH{number:032x}"


def document(number: int = 1) -> ObjectName:
    return ObjectName(ObjectKind.CONVERSATION, conversation(number))


def messages(number: int = 1) -> ObjectName:
    return ObjectName(ObjectKind.MESSAGES, conversation(number))


MY_CONVERSATIONS = ObjectName(ObjectKind.MY_CONVERSATIONS, USER_SID)
USER_INFO = ObjectName(ObjectKind.USER_INFO, USER_SID)


def requested(name: ObjectName, after: int | None = None) -> dict[str, Any]:
    return {"object_sid": name.sid, "object_type": name.kind.type, "last_event_id": after}


def body(*requests: dict[str, Any], action: str = "establish") -> bytes:
    return json.dumps({"action": action, "correlation_id": 7, "requests": requests}).encode()


class RecordingConnection:
    """Record the notifications that are pushed outside a replay."""

    def __init__(self, log: list[Any]) -> None:
        self.user_key = UserKey(ACCOUNT_SID, SCOPE.service_sid, "alice")
        self.user_sid = USER_SID
        self.subscribed: dict[str, ObjectName] = {}
        self.held_notifications = HeldNotifications(lambda: None)
        self.subscription_lock = asyncio.Lock()
        self.session = Session(
            token=AccessToken(
                account_sid=ACCOUNT_SID,
                key_sid="SK" + "0" * 32,
                identity="alice",
                service_sid=SCOPE.service_sid,
                expires_ms=1 << 50,
            ),
            scope=SCOPE,
            caller=Caller(ACCOUNT_SID, "SK" + "0" * 32, "alice"),
            identity="alice",
            user_sid=USER_SID,
            root_url="https://chat.example.com",
        )
        self._log = log

    def push(self, wire: bytes, frames: int = 1) -> None:
        del frames
        event = json.loads(wire[wire.rindex(b'{"event_type"') :])
        change = event["event"]
        self._log.append((event["event_type"], change.get("item_key", change.get("item_index"))))

    def overflow(self) -> None:
        pytest.fail("nothing is held back for long")

    async def drain(self) -> None:
        self._log.append("drained")


class FakeVisibility:
    def __init__(self, world: SubscriptionSetup, session: Session) -> None:
        assert session is world.connection.session
        self._world = world

    async def first_visible(
        self, _tx: object, candidates: Iterable[ObjectName]
    ) -> ObjectName | None:
        return next((each for each in candidates if each in self._world.visible), None)

    async def is_visible(self, _tx: object, name: ObjectName) -> bool:
        self._world.before_recheck()
        return name in self._world.visible


class FakeMissedEvents:
    def __init__(
        self,
        world: SubscriptionSetup,
        _replay: object,
        last_changed: object,
        wanted: Iterator[tuple[str, int]],
    ) -> None:
        assert last_changed is world.last_changed
        world.conversations = list(wanted)
        self._world = world
        self.to_resync = world.to_resync

    async def find_start(self) -> None:
        self._world.log.append("start")

    async def scan(self, sids: set[str], base: int) -> None:
        self._world.log.append(("scan", sorted(sids), base))
        await asyncio.sleep(0)

    def numbers(self, _sid: str, after: int, base: int) -> list[int]:
        return [number for number in self._world.missed_numbers if after < number <= base]


class FakeReplay:
    def __init__(
        self, world: SubscriptionSetup, connection: object, correlation_id: int | None, **_: object
    ) -> None:
        assert (connection, correlation_id) == (world.connection, 7)
        self._world = world

    async def read(self, work: Callable[[object], Awaitable[Any]]) -> Any:
        return await work(None)

    async def send_items(self, name: ObjectName, verb: str, number: int, _date_ms: int) -> None:
        self._world.log.append(("items", name, verb, number))

    async def send_conversation(
        self, after: dict[ObjectName, int], numbers: list[int], base: int
    ) -> None:
        self._world.log.append(("conversation", after, numbers, base))

    async def notify(self, event_type: str, events: list[Any]) -> None:
        self._world.before_confirmation()
        self._world.log.append((event_type, events))


class SubscriptionSetup:
    """The collaborators of subscriptions, and a log of what they were asked to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[Any] = []
        self.visible: set[ObjectName] = {document(), messages(), MY_CONVERSATIONS, USER_INFO}
        self.participants: dict[str, object] = {}
        self.missed_numbers: list[int] = []
        self.to_resync: set[str] = set()
        self.conversations: list[tuple[str, int]] = []
        self.before_recheck: Callable[[], None] = lambda: None
        self.before_confirmation: Callable[[], None] = lambda: None
        self.hub = Hub(SystemRandom(), FakeClock())
        self.last_changed = LastChanged()
        self.last_changed.reset(0)
        self.last_changed.position = POSITION
        self.connection = RecordingConnection(self.log)
        self.hub.add(self.connection)
        self.subscriptions = Subscriptions(
            None,  # type: ignore[arg-type] - replays are faked.
            self.hub,
            self.last_changed,
            FakeClock(),
            read_scheduler=None,  # type: ignore[arg-type]
        )
        monkeypatch.setattr(subscriptions, "Visibility", partial(FakeVisibility, self))
        monkeypatch.setattr(subscriptions, "MissedEvents", partial(FakeMissedEvents, self))
        monkeypatch.setattr(subscriptions, "Replay", partial(FakeReplay, self))
        monkeypatch.setattr(
            subscriptions.participant_store,
            "find_participant_by_identity",
            self._find_participant,
        )
        monkeypatch.setattr(
            subscriptions.participant_representation, "my_conversation_item", lambda _row: {}
        )

    async def _find_participant(
        self, _tx: object, _scope: Scope, sid: str, _identity: str
    ) -> object:
        return self.participants.get(sid)

    async def request(self, text: bytes) -> None:
        """Send a request that is accepted, and do what follows its reply."""
        request = TunnelRequest(method="POST", path="/v4/Subscriptions", body=text)
        reply = await self.subscriptions.handle(self.connection, request)  # type: ignore[arg-type]
        assert reply.status == 202
        assert self.log == []  # The reply goes first.
        assert reply.after_reply is not None
        await reply.after_reply()

    def events(self, event_type: str) -> list[Any]:
        """Return the events of all notifications of a type."""
        return [each for _, events in self.entries(event_type) for each in events]

    def entries(self, kind: str) -> list[Any]:
        return [each for each in self.log if isinstance(each, tuple) and each[0] == kind]

    def established(self) -> list[tuple[str, int]]:
        found = self.events("subscription_established")
        return [(each["object_sid"], each["last_event_id"]) for each in found]

    def failed(self) -> list[tuple[str, int]]:
        found = self.events("subscription_failed")
        return [(each["object_sid"], each["error"]["code"]) for each in found]
