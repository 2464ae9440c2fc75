"""Request generators: one function for each mutating operation; None if it has no object.

Every create and update carries its writer's stamp in several fields, so that a partial change
shows. Media are left out, because they are uploaded through another interface.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.checkers.request_log import Step

if TYPE_CHECKING:
    from tests.checkers.workload import KnownObject, WriterState

CREATED = (201,)
UPDATED = (200,)
DELETED = (204,)
PERMISSIONS = ("sendMessage", "leaveConversation", "editOwnMessage", "deleteOwnMessage")
FILTERS = ("onMessageAdded", "onMessageUpdated", "onConversationUpdated", "onParticipantAdded")

Form = tuple[tuple[str, str], ...]


def reads_through_user(participant_sid: str) -> bool:
    """Return whether a participant's read horizon is set through its user, or directly."""
    return int(participant_sid[-1], 16) % 2 == 0


def attributes(stamp: str) -> str:
    """Return JSON text with white space, which must be returned unchanged."""
    return f'{{ "stamp": "{stamp}",\t"words": ["\u00fc", "\u20ac", "\U0001f600"] }}'


def hook_url(stamp: str) -> str:
    """Return a webhook URL that no request of the workload triggers."""
    return f"https://hooks.example.com/{stamp}"


def path_of(state: WriterState, conversation: KnownObject) -> str:
    """Return a conversation's path, by SID or by unique name."""
    key = conversation.sid
    if conversation.body["unique_name"] and state.rng.random() < 0.3:
        key = conversation.body["unique_name"]
    return f"{state.prefix(conversation.service_sid)}/Conversations/{key}"


def below(state: WriterState, thing: KnownObject) -> str:
    """Return the path of the conversation that an object belongs to."""
    return f"{state.prefix(thing.service_sid)}/Conversations/{thing.parents[0]}"


def delete(state: WriterState, kind: str, path: str, thing: KnownObject) -> Step:
    """Delete one of the writer's objects."""
    return Step(
        f"delete_{kind}", kind, "delete", path, sid=thing.sid, parents=thing.parents,
        statuses=DELETED,
    )  # fmt: skip


def some_service(state: WriterState) -> str:
    """Return the default service, or sometimes one of the writer's services."""
    own = state.some("service") if state.rng.random() < 0.15 else None
    return own.sid if own else state.world.service_sid


def open_conversation(state: WriterState) -> KnownObject | None:
    """Return one of the writer's conversations that is not closed."""
    found = [it for it in state.things.get("conversation", []) if it.body["state"] != "closed"]
    return state.rng.choice(found) if found else None


# Conversations


def create_conversation(state: WriterState) -> Step:
    """Create a conversation with all fields, sometimes inactive or with timers."""
    stamp, service_sid = state.stamp(), some_service(state)
    form: Form = (
        ("FriendlyName", f"name {stamp}"),
        ("UniqueName", stamp),
        ("Attributes", attributes(stamp)),
    )
    changes = {
        "friendly_name": f"name {stamp}",
        "unique_name": stamp,
        "attributes": attributes(stamp),
        "state": "active",
    }
    if state.rng.random() < 0.2:
        form += (("Timers.Inactive", "PT2H"), ("Timers.Closed", "P3D"))
    if state.rng.random() < 0.1:
        form += (("State", "inactive"),)
        changes["state"] = "inactive"
    return Step(
        "create_conversation", "conversation", "create",
        f"{state.prefix(service_sid)}/Conversations", form, parents=(service_sid,),
        changes=changes, statuses=CREATED,
    )  # fmt: skip


def update_conversation(state: WriterState) -> Step | None:
    """Change name and attributes, sometimes also unique name, state or timers."""
    conversation = open_conversation(state)
    if conversation is None:
        return None
    stamp = state.stamp()
    form: Form = (("FriendlyName", f"name {stamp}"), ("Attributes", attributes(stamp)))
    changes = {"friendly_name": f"name {stamp}", "attributes": attributes(stamp)}
    if state.rng.random() < 0.2:
        form += (("UniqueName", stamp),)
        changes["unique_name"] = stamp
    if state.rng.random() < 0.2:
        changes["state"] = state.rng.choice(("active", "inactive"))
        form += (("State", changes["state"]), ("Timers.Closed", "PT11H"))
    return Step(
        "update_conversation", "conversation", "update", path_of(state, conversation), form,
        conversation.sid, conversation.parents, changes,
    )  # fmt: skip


def close_conversation(state: WriterState) -> Step | None:
    """Close a conversation."""
    conversation = open_conversation(state)
    if conversation is None:
        return None
    return Step(
        "close_conversation", "conversation", "update", path_of(state, conversation),
        (("State", "closed"),), conversation.sid, conversation.parents, {"state": "closed"},
    )  # fmt: skip


def delete_conversation(state: WriterState) -> Step | None:
    """Delete a conversation, closed or not, with all its contents."""
    conversation = state.some("conversation")
    if conversation is None:
        return None
    return delete(state, "conversation", path_of(state, conversation), conversation)


def claim_unique_name(state: WriterState) -> Step:
    """Create a conversation with a unique name that other writers request concurrently."""
    stamp = state.stamp()
    claim = f"claim-{state.stamps // 20}"
    return Step(
        "claim_unique_name", "conversation", "create",
        f"{state.prefix(state.world.service_sid)}/Conversations",
        (("UniqueName", claim), ("FriendlyName", f"name {stamp}")),
        parents=(state.world.service_sid,),
        changes={"unique_name": claim, "friendly_name": f"name {stamp}"}, statuses=(201, 409),
    )  # fmt: skip


def create_conversation_with_participants(state: WriterState) -> Step:
    """Create a conversation whose two participants the server adds after its response."""
    stamp = state.stamp()
    participants = (
        {"identity": f"{stamp}@example.com", "attributes": attributes(stamp)},
        {"messaging_binding": {"address": number(state, 3), "proxy_address": proxy(state, 0)}},
    )
    form = (("FriendlyName", f"name {stamp}"),)
    return Step(
        "create_conversation_with_participants", "conversation", "create",
        f"{state.prefix(state.world.service_sid)}/ConversationWithParticipants",
        form + tuple(("Participant", json.dumps(participant)) for participant in participants),
        parents=(state.world.service_sid,), changes={"friendly_name": f"name {stamp}"},
        statuses=(202,),
    )  # fmt: skip


# Messages


def message(state: WriterState, path: str, parents: tuple[str, str]) -> Step:
    """Create a message, half of the time by a participant of the conversation."""
    stamp = state.stamp()
    author = f"author {stamp}"
    members = [it for it in state.things.get("participant", []) if it.parents == parents]
    if members and state.rng.random() < 0.5:
        author = state.rng.choice(members).body["identity"]
    changes = {
        "body": f"{stamp} {'word ' * state.rng.randrange(60)}".strip(),
        "author": author,
        "attributes": attributes(stamp),
    }
    form = tuple((name.capitalize(), text) for name, text in changes.items())
    return Step(
        "create_message", "message", "create", f"{path}/Messages", form, parents=parents,
        changes=changes, statuses=CREATED,
    )  # fmt: skip


def create_shared_message(state: WriterState) -> Step:
    """Create a message in a conversation shared by all writers."""
    sid = state.rng.choice(state.world.shared_sids)
    service_sid = state.world.service_sid
    path = f"{state.prefix(service_sid)}/Conversations/{sid}"
    return message(state, path, (sid, service_sid))


def create_message(state: WriterState) -> Step | None:
    """Create a message in one of the writer's conversations."""
    conversation = open_conversation(state)
    if conversation is None:
        return None
    parents = (conversation.sid, conversation.service_sid)
    return message(state, path_of(state, conversation), parents)


def update_message(state: WriterState) -> Step | None:
    """Change body and attributes."""
    found = state.some("message")
    if found is None:
        return None
    stamp = state.stamp()
    return Step(
        "update_message", "message", "update", f"{below(state, found)}/Messages/{found.sid}",
        (("Body", f"{stamp} edited"), ("Attributes", attributes(stamp))),
        found.sid, found.parents,
        {"body": f"{stamp} edited", "attributes": attributes(stamp)},
    )  # fmt: skip


def delete_message(state: WriterState) -> Step | None:
    """Delete one of the writer's messages; its index is never reused."""
    found = state.some("message")
    if found is None:
        return None
    return delete(state, "message", f"{below(state, found)}/Messages/{found.sid}", found)


# Participants


def number(state: WriterState, area: int) -> str:
    """Return a unique telephone number."""
    state.stamps += 1
    return f"+49{area}{state.number:02d}{state.stamps:07d}"


def proxy(state: WriterState, which: int) -> str:
    """Return one of the writer's numbers on the account's side."""
    return f"+499{state.number:02d}{which:07d}"


def create_participant(state: WriterState) -> Step | None:
    """Create a chat participant of an existing user or of a new one."""
    service_sid = state.world.service_sid
    conversation = open_conversation(state) if state.rng.random() < 0.7 else None
    if conversation is not None:
        path, parents = path_of(state, conversation), (conversation.sid, *conversation.parents)
    else:
        shared = state.rng.choice(state.world.shared_sids)
        path = f"{state.prefix(service_sid)}/Conversations/{shared}"
        parents = (shared, service_sid)
    stamp = state.stamp()
    identity = f"{stamp}@example.com"
    user = state.some("user")
    if user is not None and not user.is_used and user.service_sid == parents[-1]:
        # Once only: an identity may not join a conversation twice.
        user.is_used = True
        identity = user.body["identity"]
    return Step(
        "create_participant", "participant", "create", f"{path}/Participants",
        (("Identity", identity), ("Attributes", attributes(stamp))), parents=parents,
        changes={"identity": identity, "attributes": attributes(stamp)}, statuses=CREATED,
    )  # fmt: skip


def create_messaging_participant(state: WriterState) -> Step | None:
    """Create a participant with a telephone number."""
    conversation = open_conversation(state)
    if conversation is None:
        return None
    stamp, address = state.stamp(), number(state, 1)
    return Step(
        "create_messaging_participant", "messaging_participant", "create",
        f"{path_of(state, conversation)}/Participants",
        (
            ("MessagingBinding.Address", address),
            ("MessagingBinding.ProxyAddress", proxy(state, 0)),
            ("Attributes", attributes(stamp)),
        ),
        parents=(conversation.sid, *conversation.parents),
        changes={
            "messaging_binding.address": address,
            "messaging_binding.proxy_address": proxy(state, 0),
            "attributes": attributes(stamp),
        },
        statuses=CREATED,
    )  # fmt: skip


def participant_path(state: WriterState, participant: KnownObject) -> str:
    """Return a participant's path, by SID or by identity."""
    key = participant.sid
    if participant.body["identity"] and state.rng.random() < 0.3:
        key = quote(participant.body["identity"], safe="")
    return f"{below(state, participant)}/Participants/{key}"


def update_participant(state: WriterState) -> Step | None:
    """Change attributes, sometimes a role, a date or the read horizon."""
    found = state.some("participant")
    if found is None:
        return None
    stamp = state.stamp()
    form: Form = (("Attributes", attributes(stamp)),)
    changes: dict[str, object] = {"attributes": attributes(stamp)}
    if found.service_sid == state.world.service_sid and state.rng.random() < 0.5:
        role_sid = state.rng.choice(state.world.conversation_role_sids)
        form += (("RoleSid", role_sid),)
        changes["role_sid"] = role_sid
    if state.rng.random() < 0.3:
        form += (("DateUpdated", "2023-05-04T11:42:00+02:00"),)
        changes["date_updated"] = "2023-05-04T09:42:00Z"
    if found.parents[0] in state.world.shared_sids and not reads_through_user(found.sid):
        # A shared conversation has had its first messages since before the writers started.
        index = state.rng.randrange(3)
        form += (
            ("LastReadMessageIndex", str(index)),
            ("LastReadTimestamp", "2025-05-04T09:42:00Z"),
        )
        changes["last_read_message_index"] = index
        changes["last_read_timestamp"] = "2025-05-04T09:42:00Z"
    return Step(
        "update_participant", "participant", "update", participant_path(state, found), form,
        found.sid, found.parents, changes,
    )  # fmt: skip


def update_messaging_participant(state: WriterState) -> Step | None:
    """Change attributes and the number on the account's side."""
    found = state.some("messaging_participant")
    if found is None:
        return None
    stamp, proxy_address = state.stamp(), proxy(state, state.rng.randrange(50))
    return Step(
        "update_messaging_participant", "messaging_participant", "update",
        participant_path(state, found),
        (("Attributes", attributes(stamp)), ("MessagingBinding.ProxyAddress", proxy_address)),
        found.sid, found.parents,
        {"attributes": attributes(stamp), "messaging_binding.proxy_address": proxy_address},
    )  # fmt: skip


def delete_participant(state: WriterState) -> Step | None:
    """Delete a membership."""
    kind = state.rng.choice(("participant", "participant", "messaging_participant"))
    found = state.some(kind)
    if found is None:
        return None
    return delete(state, kind, participant_path(state, found), found)
