"""The observed state: every object of an account, read over the REST API."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.client import Api

SETTLE_SECONDS_MAX = 10.0
PAUSE_SECONDS = 0.05

Body = dict[str, Any]
Key = tuple[str, str]
Seen = TypeVar("Seen")

ACCOUNT_LISTS = {"service": "/v1/Services", "credential": "/v1/Credentials"} | {
    "address": "/v1/Configuration/Addresses"
}
SERVICE_LISTS = {
    "conversation": "Conversations",
    "user": "Users",
    "role": "Roles",
    "push_binding": "Bindings",
}
CONVERSATION_LISTS = {
    "participant": "Participants",
    "message": "Messages",
    "scoped_webhook": "Webhooks",
}
SERVICE_SETTINGS = {
    "service_configuration": "Configuration",
    "service_notification": "Configuration/Notifications",
    "service_webhooks": "Configuration/Webhooks",
}
ACCOUNT_SETTINGS = {
    "configuration": "/v1/Configuration",
    "account_webhooks": "/v1/Configuration/Webhooks",
}


@dataclass
class ObservedState:
    """Objects by kind and SID, receipts of each message, and SIDs listed twice."""

    objects: dict[Key, Body] = field(default_factory=dict)
    receipts: dict[str, list[Body]] = field(default_factory=dict)
    shown_twice: list[Key] = field(default_factory=list)

    def of(self, kind: str) -> Iterator[Body]:
        """Return all objects of a kind."""
        return (body for (its_kind, _), body in self.objects.items() if its_kind == kind)

    def below(self, kind: str) -> dict[str, list[Body]]:
        """Return the objects of a kind by the SID of their conversation."""
        found: dict[str, list[Body]] = defaultdict(list)
        for body in self.of(kind):
            found[body["conversation_sid"]].append(body)
        return found

    def add(self, kind: str, bodies: Iterable[Body]) -> None:
        """Add a list of objects of one kind."""
        for body in bodies:
            key = (kind, body["sid"])
            if key in self.objects:
                self.shown_twice.append(key)
            self.objects[key] = body


def pages(api: Api, path: str) -> list[Body]:
    """Return all items of a list, page by page like an SDK."""
    items: list[Body] = []
    url: str | None = f"{path}?PageSize=100"
    while url is not None:
        answer = api.get(url).expect(200)
        items += answer[answer["meta"]["key"]]
        url = answer["meta"]["next_page_url"]
    return items


def read_until(read: Callable[[], Seen], accept: Callable[[Seen], bool], deadline: float) -> Seen:
    """Poll until `accept` is true, or the deadline; return the last result for the checker."""
    while True:
        seen = read()
        if accept(seen) or time.monotonic() > deadline:
            return seen
        time.sleep(PAUSE_SECONDS)


def is_settled(api: Api, service_sids: Iterable[str]) -> bool:
    """Return whether all background creation has finished."""
    paths = (f"/v1/Services/{sid}/Conversations?State=initializing" for sid in service_sids)
    return not any(api.get(path).expect(200)["conversations"] for path in paths)


def read_everything(api: Api, memberships: Iterable[tuple[str, Body]]) -> ObservedState:
    """Return all objects of the account; user conversations only of the given memberships.

    A membership is a service SID and the body of a participant.
    """
    observed = ObservedState()
    for kind, path in ACCOUNT_LISTS.items():
        observed.add(kind, pages(api, path))
    for kind, path in ACCOUNT_SETTINGS.items():
        observed.objects[kind, kind] = api.get(path).expect(200)
    services = [body["sid"] for body in observed.of("service")]
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    read_until(lambda: is_settled(api, services), bool, deadline)
    for service_sid in services:
        _read_service(api, observed, service_sid)
    for conversation in list(observed.of("conversation")):
        place = f"/v1/Services/{conversation['chat_service_sid']}"
        for kind, name in CONVERSATION_LISTS.items():
            observed.add(kind, pages(api, f"{place}/Conversations/{conversation['sid']}/{name}"))
    for message in list(observed.of("message")):
        if message["delivery"] is not None:
            observed.receipts[message["sid"]] = _read_receipts(api, message, deadline)
            # Its receipts may have changed since it was listed, and its summary with them.
            path = message["url"].removeprefix(api.base_url)
            observed.objects["message", message["sid"]] = api.get(path).expect(200)
    for service_sid, member in memberships:
        shown = _read_membership(api, service_sid, member)
        if shown is not None:
            observed.objects["user_conversation", member["sid"]] = shown
    return observed


def _read_service(api: Api, observed: ObservedState, service_sid: str) -> None:
    """Read the lists and settings of one service."""
    for kind, path in SERVICE_LISTS.items():
        observed.add(kind, pages(api, f"/v1/Services/{service_sid}/{path}"))
    for kind, path in SERVICE_SETTINGS.items():
        answer = api.get(f"/v1/Services/{service_sid}/{path}")
        observed.objects[kind, service_sid] = answer.expect(200)


def _read_receipts(api: Api, message: Body, deadline: float) -> list[Body]:
    """Return the receipts of one message, if possible when none is pending any more."""
    path = message["url"].removeprefix(api.base_url) + "/Receipts"
    return read_until(
        lambda: pages(api, path),
        lambda found: (
            len(found) == message["delivery"]["total"]
            and all(receipt["status"] == "delivered" for receipt in found)
        ),
        deadline,
    )


def _read_membership(api: Api, service_sid: str, member: Body) -> Body | None:
    """Return a membership as its user sees it, or None if it was deleted."""
    user = quote(member["identity"], safe="")
    path = f"/v1/Services/{service_sid}/Users/{user}/Conversations/{member['conversation_sid']}"
    answer = api.get(path)
    return answer.json if answer.status == 200 else None
