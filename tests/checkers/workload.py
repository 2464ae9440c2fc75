"""The workload of a writer: a seeded mix of all mutating operations, mostly messages.

A writer changes and deletes only objects that it created, so the order of all changes to one object
is the order of this writer's responses. Some conversations are shared: all writers post to them
concurrently, and all race for the same unique names. After a lost response the writer never
touches that object again, so that its last value stays known.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.checkers import account_request_generators, request_generators

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checkers.request_log import Step

KNOWN_OBJECTS_MAX = 40
WRITERS_MAX = 8


@dataclass(frozen=True)
class KnownObjects:
    """Objects that exist before the writers start."""

    service_sid: str
    conversation_role_sids: tuple[str, ...]
    service_role_sids: tuple[str, ...]
    shared_sids: tuple[str, ...]
    # Only client SDKs create push bindings, so they exist at the start; each writer deletes
    # its share.
    push_binding_sids: tuple[str, ...] = ()


@dataclass(eq=False)
class KnownObject:
    """An object that this writer created, with an acknowledgement."""

    kind: str
    sid: str
    body: dict[str, Any]
    service_sid: str
    parents: tuple[str, ...] = ()
    # Of a conversation: the number of webhooks. Of a user: whether it was added as participant.
    webhooks: int = 0
    is_used: bool = False


@dataclass
class WriterState:
    """The random generator and the known objects of one writer."""

    number: int
    world: KnownObjects
    rng: random.Random
    things: dict[str, list[KnownObject]] = field(default_factory=dict)
    stamps: int = 0

    def stamp(self) -> str:
        """Return a unique text."""
        self.stamps += 1
        return f"w{self.number}-{self.stamps:06d}"

    def some(self, kind: str) -> KnownObject | None:
        """Return a random object of a kind, or None."""
        found = self.things.get(kind)
        return self.rng.choice(found) if found else None

    def prefix(self, service_sid: str) -> str:
        """Return the path prefix of a service's resources, in either form for the default one."""
        if service_sid == self.world.service_sid and self.rng.random() < 0.5:
            return "/v1"
        return f"/v1/Services/{service_sid}"

    def keep(self, thing: KnownObject) -> None:
        """Add an object; above the limit, drop a random one (the checker does not)."""
        found = self.things.setdefault(thing.kind, [])
        found.append(thing)
        if len(found) > KNOWN_OBJECTS_MAX:
            found.pop(self.rng.randrange(len(found)))

    def forget(self, sid: str) -> None:
        """Drop an object and everything below it: no later task of the workload uses them."""
        for found in self.things.values():
            found[:] = [it for it in found if sid != it.sid and sid not in it.parents]

    def forget_user(self, sid: str) -> None:
        """Drop the memberships of a user, which are deleted with it."""
        names = {user.body["identity"] for user in self.things.get("user", []) if user.sid == sid}
        members = self.things.get("participant", [])
        members[:] = [member for member in members if member.body["identity"] not in names]


MIX: tuple[tuple[int, Callable[[WriterState], Step | None]], ...] = (
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
    """One writer: chooses the next request, and processes its response."""

    def __init__(self, number: int, seed: int, world: KnownObjects) -> None:
        self.number = number
        self.state = WriterState(number, world, random.Random(f"{seed}-{number}"))
        place = (world.service_sid,)
        for sid in world.push_binding_sids[number::WRITERS_MAX]:
            self.state.keep(KnownObject("push_binding", sid, {}, world.service_sid, place))

    def next(self) -> Step:
        """Return the next request; an operation without an object is skipped."""
        while True:
            choice = self.state.rng.choices(CHOICES, WEIGHTS)[0]
            step = choice(self.state)
            if step is not None:
                return step

    def process_response(self, step: Step, status: int, body: dict[str, Any] | None) -> None:
        """Process a complete response."""
        if status >= 300:
            return
        if step.verb == "delete":
            self.state.forget_user(step.sid)
            self.state.forget(step.sid)
        elif step.verb == "create":
            assert body is not None
            self._made(step, body)
        elif body is not None:
            for thing in self.state.things.get(step.kind, []):
                if thing.sid == step.sid:
                    thing.body = body
        if step.operation == "close_conversation":
            # Nothing below a closed conversation may change; the conversation may be deleted.
            for found in self.state.things.values():
                found[:] = [thing for thing in found if step.sid not in thing.parents]

    def drop_unanswered(self, step: Step) -> None:
        """Drop the object of a request without a response."""
        if step.sid:
            self.state.forget_user(step.sid)
            self.state.forget(step.sid)

    def _made(self, step: Step, body: dict[str, Any]) -> None:
        """Add a created object, unless it must not be touched."""
        if step.operation in {"create_conversation_with_participants", "claim_unique_name"}:
            return
        service_sid = step.parents[-1] if step.parents else ""
        self.state.keep(KnownObject(step.kind, body["sid"], body, service_sid, step.parents))
