"""One function for each mutating operation: a request of a writer, or None without an object.

Every create and update carries its writer's stamp in several fields at once, so that a change
that was done by half shows. Left out are media, which are sent by another way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.checkers.request_log import Step

if TYPE_CHECKING:
    from tests.checkers.workload import KnownObject, WriterChoice

CREATED = (201,)
UPDATED = (200,)
DELETED = (204,)
PERMISSIONS = ("sendMessage", "leaveConversation", "editOwnMessage", "deleteOwnMessage")
FILTERS = ("onMessageAdded", "onMessageUpdated", "onConversationUpdated", "onParticipantAdded")

Form = tuple[tuple[str, str], ...]


def reads_through_user(participant_sid: str) -> bool:
    """Whether a participant's read horizon is set through its user (else: through itself)."""
    return int(participant_sid[-1], 16) % 2 == 0


def attributes(stamp: str) -> str:
    """JSON text with white space that must come back as it was sent."""
    return f'{{ "stamp": "{stamp}",\t"words": ["\u00fc", "\u20ac", "\U0001f600"] }}'


def hook_url(stamp: str) -> str:
    """An address for a webhook that no request of the workload ever asks to be called."""
    return f"https://hooks.example.com/{stamp}"


def path_of(mind: WriterChoice, conversation: KnownObject) -> str:
    """A conversation's path: either form, by sid or by unique name."""
    key = conversation.sid
    if conversation.body["unique_name"] and mind.dice.random() < 0.3:
        key = conversation.body["unique_name"]
    return f"{mind.prefix(conversation.service_sid)}/Conversations/{key}"


def below(mind: WriterChoice, thing: KnownObject) -> str:
    """The path of the conversation that a thing lives in."""
    return f"{mind.prefix(thing.service_sid)}/Conversations/{thing.parents[0]}"


def delete(mind: WriterChoice, kind: str, path: str, thing: KnownObject) -> Step:
    """The removal of one of the writer's things."""
    return Step(
        f"delete_{kind}", kind, "delete", path, sid=thing.sid, parents=thing.parents,
        statuses=DELETED,
    )  # fmt: skip


def some_service(mind: WriterChoice) -> str:
    """The default service, or now and then one of the writer's own."""
    own = mind.some("service") if mind.dice.random() < 0.15 else None
    return own.sid if own else mind.world.service_sid


def open_conversation(mind: WriterChoice) -> KnownObject | None:
    """One of the writer's conversations that is not closed."""
    found = [it for it in mind.things.get("conversation", []) if it.body["state"] != "closed"]
    return mind.dice.choice(found) if found else None


# Conversations


def create_conversation(mind: WriterChoice) -> Step:
    """A conversation with everything, now and then inactive or with timers."""
    stamp, service_sid = mind.stamp(), some_service(mind)
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
    if mind.dice.random() < 0.2:
        form += (("Timers.Inactive", "PT2H"), ("Timers.Closed", "P3D"))
    if mind.dice.random() < 0.1:
        form += (("State", "inactive"),)
        changes["state"] = "inactive"
    return Step(
        "create_conversation", "conversation", "create",
        f"{mind.prefix(service_sid)}/Conversations", form, parents=(service_sid,),
        changes=changes, statuses=CREATED,
    )  # fmt: skip


def update_conversation(mind: WriterChoice) -> Step | None:
    """New name and attributes, sometimes another unique name, state or timers."""
    conversation = open_conversation(mind)
    if conversation is None:
        return None
    stamp = mind.stamp()
    form: Form = (("FriendlyName", f"name {stamp}"), ("Attributes", attributes(stamp)))
    changes = {"friendly_name": f"name {stamp}", "attributes": attributes(stamp)}
    if mind.dice.random() < 0.2:
        form += (("UniqueName", stamp),)
        changes["unique_name"] = stamp
    if mind.dice.random() < 0.2:
        changes["state"] = mind.dice.choice(("active", "inactive"))
        form += (("State", changes["state"]), ("Timers.Closed", "PT11H"))
    return Step(
        "update_conversation", "conversation", "update", path_of(mind, conversation), form,
        conversation.sid, conversation.parents, changes,
    )  # fmt: skip


def close_conversation(mind: WriterChoice) -> Step | None:
    """The end of a conversation."""
    conversation = open_conversation(mind)
    if conversation is None:
        return None
    return Step(
        "close_conversation", "conversation", "update", path_of(mind, conversation),
        (("State", "closed"),), conversation.sid, conversation.parents, {"state": "closed"},
    )  # fmt: skip


def delete_conversation(mind: WriterChoice) -> Step | None:
    """A conversation goes, closed or not, with all it holds."""
    conversation = mind.some("conversation")
    if conversation is None:
        return None
    return delete(mind, "conversation", path_of(mind, conversation), conversation)


def claim_unique_name(mind: WriterChoice) -> Step:
    """A conversation with a unique name that other writers want at the same time."""
    stamp = mind.stamp()
    claim = f"claim-{mind.stamps // 20}"
    return Step(
        "claim_unique_name", "conversation", "create",
        f"{mind.prefix(mind.world.service_sid)}/Conversations",
        (("UniqueName", claim), ("FriendlyName", f"name {stamp}")),
        parents=(mind.world.service_sid,),
        changes={"unique_name": claim, "friendly_name": f"name {stamp}"}, statuses=(201, 409),
    )  # fmt: skip


def create_conversation_with_participants(mind: WriterChoice) -> Step:
    """A conversation whose two participants the server adds after it has answered."""
    stamp = mind.stamp()
    participants = (
        {"identity": f"{stamp}@example.com", "attributes": attributes(stamp)},
        {"messaging_binding": {"address": number(mind, 3), "proxy_address": proxy(mind, 0)}},
    )
    form = (("FriendlyName", f"name {stamp}"),)
    return Step(
        "create_conversation_with_participants", "conversation", "create",
        f"{mind.prefix(mind.world.service_sid)}/ConversationWithParticipants",
        form + tuple(("Participant", json.dumps(participant)) for participant in participants),
        parents=(mind.world.service_sid,), changes={"friendly_name": f"name {stamp}"},
        statuses=(202,),
    )  # fmt: skip


# Messages


def message(mind: WriterChoice, path: str, parents: tuple[str, str]) -> Step:
    """A new message, half of the time by a participant of the conversation."""
    stamp = mind.stamp()
    author = f"author {stamp}"
    members = [it for it in mind.things.get("participant", []) if it.parents == parents]
    if members and mind.dice.random() < 0.5:
        author = mind.dice.choice(members).body["identity"]
    changes = {
        "body": f"{stamp} {'word ' * mind.dice.randrange(60)}".strip(),
        "author": author,
        "attributes": attributes(stamp),
    }
    form = tuple((name.capitalize(), text) for name, text in changes.items())
    return Step(
        "create_message", "message", "create", f"{path}/Messages", form, parents=parents,
        changes=changes, statuses=CREATED,
    )  # fmt: skip


def create_shared_message(mind: WriterChoice) -> Step:
    """A message to a conversation that all writers post to."""
    sid = mind.dice.choice(mind.world.shared_sids)
    service_sid = mind.world.service_sid
    path = f"{mind.prefix(service_sid)}/Conversations/{sid}"
    return message(mind, path, (sid, service_sid))


def create_message(mind: WriterChoice) -> Step | None:
    """A message to one of the writer's own conversations."""
    conversation = open_conversation(mind)
    if conversation is None:
        return None
    parents = (conversation.sid, conversation.service_sid)
    return message(mind, path_of(mind, conversation), parents)


def update_message(mind: WriterChoice) -> Step | None:
    """Another body, other attributes."""
    found = mind.some("message")
    if found is None:
        return None
    stamp = mind.stamp()
    return Step(
        "update_message", "message", "update", f"{below(mind, found)}/Messages/{found.sid}",
        (("Body", f"{stamp} edited"), ("Attributes", attributes(stamp))),
        found.sid, found.parents,
        {"body": f"{stamp} edited", "attributes": attributes(stamp)},
    )  # fmt: skip


def delete_message(mind: WriterChoice) -> Step | None:
    """One of the writer's messages goes; its index is never given again."""
    found = mind.some("message")
    if found is None:
        return None
    return delete(mind, "message", f"{below(mind, found)}/Messages/{found.sid}", found)


# Participants


def number(mind: WriterChoice, area: int) -> str:
    """A telephone number that this writer alone uses, once."""
    mind.stamps += 1
    return f"+49{area}{mind.number:02d}{mind.stamps:07d}"


def proxy(mind: WriterChoice, which: int) -> str:
    """One of the writer's numbers on the account's side."""
    return f"+499{mind.number:02d}{which:07d}"


def create_participant(mind: WriterChoice) -> Step | None:
    """A chat participant: of a user that exists, or of one that is made with it."""
    service_sid = mind.world.service_sid
    conversation = open_conversation(mind) if mind.dice.random() < 0.7 else None
    if conversation is not None:
        path, parents = path_of(mind, conversation), (conversation.sid, *conversation.parents)
    else:
        shared = mind.dice.choice(mind.world.shared_sids)
        path = f"{mind.prefix(service_sid)}/Conversations/{shared}"
        parents = (shared, service_sid)
    stamp = mind.stamp()
    identity = f"{stamp}@example.com"
    user = mind.some("user")
    if user is not None and not user.is_used and user.service_sid == parents[-1]:
        # Once only: the same identity may not join a conversation twice.
        user.is_used = True
        identity = user.body["identity"]
    return Step(
        "create_participant", "participant", "create", f"{path}/Participants",
        (("Identity", identity), ("Attributes", attributes(stamp))), parents=parents,
        changes={"identity": identity, "attributes": attributes(stamp)}, statuses=CREATED,
    )  # fmt: skip


def create_messaging_participant(mind: WriterChoice) -> Step | None:
    """A participant with a telephone number."""
    conversation = open_conversation(mind)
    if conversation is None:
        return None
    stamp, address = mind.stamp(), number(mind, 1)
    return Step(
        "create_messaging_participant", "messaging_participant", "create",
        f"{path_of(mind, conversation)}/Participants",
        (
            ("MessagingBinding.Address", address),
            ("MessagingBinding.ProxyAddress", proxy(mind, 0)),
            ("Attributes", attributes(stamp)),
        ),
        parents=(conversation.sid, *conversation.parents),
        changes={
            "messaging_binding.address": address,
            "messaging_binding.proxy_address": proxy(mind, 0),
            "attributes": attributes(stamp),
        },
        statuses=CREATED,
    )  # fmt: skip


def participant_path(mind: WriterChoice, participant: KnownObject) -> str:
    """A participant's path: by sid, or by identity."""
    key = participant.sid
    if participant.body["identity"] and mind.dice.random() < 0.3:
        key = quote(participant.body["identity"], safe="")
    return f"{below(mind, participant)}/Participants/{key}"


def update_participant(mind: WriterChoice) -> Step | None:
    """Attributes, and at times a role, a date or the read horizon."""
    found = mind.some("participant")
    if found is None:
        return None
    stamp = mind.stamp()
    form: Form = (("Attributes", attributes(stamp)),)
    changes: dict[str, object] = {"attributes": attributes(stamp)}
    if found.service_sid == mind.world.service_sid and mind.dice.random() < 0.5:
        role_sid = mind.dice.choice(mind.world.conversation_role_sids)
        form += (("RoleSid", role_sid),)
        changes["role_sid"] = role_sid
    if mind.dice.random() < 0.3:
        form += (("DateUpdated", "2023-05-04T11:42:00+02:00"),)
        changes["date_updated"] = "2023-05-04T09:42:00Z"
    if found.parents[0] in mind.world.shared_sids and not reads_through_user(found.sid):
        # A shared conversation has had its first messages since before the writers began.
        index = mind.dice.randrange(3)
        form += (
            ("LastReadMessageIndex", str(index)),
            ("LastReadTimestamp", "2025-05-04T09:42:00Z"),
        )
        changes["last_read_message_index"] = index
        changes["last_read_timestamp"] = "2025-05-04T09:42:00Z"
    return Step(
        "update_participant", "participant", "update", participant_path(mind, found), form,
        found.sid, found.parents, changes,
    )  # fmt: skip


def update_messaging_participant(mind: WriterChoice) -> Step | None:
    """Attributes and another number on the account's side."""
    found = mind.some("messaging_participant")
    if found is None:
        return None
    stamp, proxy_address = mind.stamp(), proxy(mind, mind.dice.randrange(50))
    return Step(
        "update_messaging_participant", "messaging_participant", "update",
        participant_path(mind, found),
        (("Attributes", attributes(stamp)), ("MessagingBinding.ProxyAddress", proxy_address)),
        found.sid, found.parents,
        {"attributes": attributes(stamp), "messaging_binding.proxy_address": proxy_address},
    )  # fmt: skip


def delete_participant(mind: WriterChoice) -> Step | None:
    """A membership ends."""
    kind = mind.dice.choice(("participant", "participant", "messaging_participant"))
    found = mind.some(kind)
    if found is None:
        return None
    return delete(mind, kind, participant_path(mind, found), found)
