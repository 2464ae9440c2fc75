"""What a writer asks next: a seeded mix of every mutating operation, weighted to messages.

A writer changes and deletes only what it made itself, so the order of all changes to one object
is the order in which this writer was answered. Some conversations are shared: all writers post to
them at once, and all of them race for the same unique names. When an answer is lost the writer
never touches that object again, so that the object's last value stays known.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.checkers import account_request_generators, request_generators

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checkers.request_log import Step

KEPT_IN_MIND_MAX = 40
WRITERS_MAX = 8


@dataclass(frozen=True)
class KnownObjects:
    """What stands before the writers begin: sids of the account's own things."""

    service_sid: str
    conversation_role_sids: tuple[str, ...]
    service_role_sids: tuple[str, ...]
    shared_sids: tuple[str, ...]
    # Only client SDKs make push bindings, so they stand before; each writer removes its share.
    push_binding_sids: tuple[str, ...] = ()


@dataclass(eq=False)
class KnownObject:
    """An object that this writer made and was told of."""

    kind: str
    sid: str
    body: dict[str, Any]
    service_sid: str
    parents: tuple[str, ...] = ()
    # Of a conversation: how many webhooks were asked for. Of a user: whether it was asked in.
    webhooks: int = 0
    is_used: bool = False


@dataclass
class WriterChoice:
    """What one writer knows."""

    number: int
    world: KnownObjects
    dice: random.Random
    things: dict[str, list[KnownObject]] = field(default_factory=dict)
    stamps: int = 0

    def stamp(self) -> str:
        """A text that nobody uses twice."""
        self.stamps += 1
        return f"w{self.number}-{self.stamps:06d}"

    def some(self, kind: str) -> KnownObject | None:
        """One of the things of a kind, if there is any."""
        found = self.things.get(kind)
        return self.dice.choice(found) if found else None

    def prefix(self, service_sid: str) -> str:
        """The path before a resource of a service: both forms, where both are the same."""
        if service_sid == self.world.service_sid and self.dice.random() < 0.5:
            return "/v1"
        return f"/v1/Services/{service_sid}"

    def keep(self, thing: KnownObject) -> None:
        """Remembers a thing; when there are too many, forgets one (the checker does not)."""
        found = self.things.setdefault(thing.kind, [])
        found.append(thing)
        if len(found) > KEPT_IN_MIND_MAX:
            found.pop(self.dice.randrange(len(found)))

    def forget(self, sid: str) -> None:
        """Never touches a thing, nor what lives below it, again."""
        for found in self.things.values():
            found[:] = [it for it in found if sid != it.sid and sid not in it.parents]

    def forget_user(self, sid: str) -> None:
        """Never touches the memberships of a user again: they go with it."""
        names = {user.body["identity"] for user in self.things.get("user", []) if user.sid == sid}
        members = self.things.get("participant", [])
        members[:] = [member for member in members if member.body["identity"] not in names]


MIX: tuple[tuple[int, Callable[[WriterChoice], Step | None]], ...] = (
    (200, request_generators.create_shared_message),
    (120, request_generators.create_message),
    (45, request_generators.update_message),
    (15, request_generators.delete_message),
    (30, request_generators.create_conversation),
    (30, request_generators.update_conversation),
    (3, request_generators.close_conversation),
    (6, request_generators.delete_conversation),
    (15, request_generators.claim_unique_name),
    (6, request_generators.create_conversation_with_participants),
    (35, request_generators.create_participant),
    (15, request_generators.create_messaging_participant),
    (60, request_generators.update_participant),
    (15, request_generators.update_messaging_participant),
    (10, request_generators.delete_participant),
    (12, account_request_generators.create_scoped_webhook),
    (12, account_request_generators.update_scoped_webhook),
    (4, account_request_generators.delete_scoped_webhook),
    (15, account_request_generators.create_user),
    (20, account_request_generators.update_user),
    (4, account_request_generators.delete_user),
    (20, account_request_generators.update_user_conversation),
    (3, account_request_generators.delete_user_conversation),
    (6, account_request_generators.create_role),
    (8, account_request_generators.update_role),
    (3, account_request_generators.delete_role),
    (6, account_request_generators.create_credential),
    (8, account_request_generators.update_credential),
    (3, account_request_generators.delete_credential),
    (6, account_request_generators.create_address),
    (8, account_request_generators.update_address),
    (3, account_request_generators.delete_address),
    (3, account_request_generators.delete_push_binding),
    (4, account_request_generators.create_service),
    (1, account_request_generators.delete_service),
    (6, account_request_generators.update_service_configuration),
    (6, account_request_generators.update_service_notification),
    (6, account_request_generators.update_service_webhooks),
    (6, account_request_generators.update_account_settings),
)
WEIGHTS = [weight for weight, _ in MIX]
CHOICES = [choice for _, choice in MIX]


class Writer:
    """One writer: says what it asks next, and hears what came of it."""

    def __init__(self, number: int, seed: int, world: KnownObjects) -> None:
        self.number = number
        self.mind = WriterChoice(number, world, random.Random(f"{seed}-{number}"))
        place = (world.service_sid,)
        for sid in world.push_binding_sids[number::WRITERS_MAX]:
            self.mind.keep(KnownObject("push_binding", sid, {}, world.service_sid, place))

    def next(self) -> Step:
        """The next request; an operation without an object to work on gives way to another."""
        while True:
            choice = self.mind.dice.choices(CHOICES, WEIGHTS)[0]
            step = choice(self.mind)
            if step is not None:
                return step

    def told(self, step: Step, status: int, body: dict[str, Any] | None) -> None:
        """Hears a whole answer."""
        if status >= 300:
            return
        if step.verb == "delete":
            self.mind.forget_user(step.sid)
            self.mind.forget(step.sid)
        elif step.verb == "create":
            assert body is not None
            self._made(step, body)
        elif body is not None:
            for thing in self.mind.things.get(step.kind, []):
                if thing.sid == step.sid:
                    thing.body = body
        if step.operation == "close_conversation":
            # Nothing below a closed conversation may change; the conversation may be deleted.
            for found in self.mind.things.values():
                found[:] = [thing for thing in found if step.sid not in thing.parents]

    def unanswered(self, step: Step) -> None:
        """The answer was lost: what the request was about is left alone from now on."""
        if step.sid:
            self.mind.forget_user(step.sid)
            self.mind.forget(step.sid)

    def _made(self, step: Step, body: dict[str, Any]) -> None:
        """Remembers what was created, unless it is not to be touched."""
        if step.operation in {"create_conversation_with_participants", "claim_unique_name"}:
            return
        service_sid = step.parents[-1] if step.parents else ""
        self.mind.keep(KnownObject(step.kind, body["sid"], body, service_sid, step.parents))
