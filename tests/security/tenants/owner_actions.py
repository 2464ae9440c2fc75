"""The actions of an account's owner: read everything, and change everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from parlour.operations.operation import UrlForm
from tests.security.tenants.channel_objects import ONLY_CARRIED, SHARED_PHONE
from tests.security.tenants.matrix import Answered, names_of, values_of
from tests.security.tenants.path_variables import fill
from tests.security.tenants.targets import CallerCredentials, CallerRequest, MatrixTarget
from tests.security.tenants.twin_accounts import (
    GROUP,
    IDEMPOTENCY_KEY,
    IDEMPOTENT_FORM,
    ONLY_ADDRESS,
    ONLY_CONFIGURED,
    ONLY_LISTED,
    ONLY_PENDING,
    ONLY_PHONE,
    ONLY_PROXY,
    PROXY,
    AccountObjects,
)
from tests.security.tenants.valid_forms import form_of, fresh_number, queries_of
from tests.support.account_operations import account_operations
from tests.support.client import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parlour.operations.operation import Operation

PAGES_MAX = 8
# Operations without anything to show to any caller.
NEVER_SHOWN = {
    "FetchConversationMessageChannelMetadata",
    "FetchServiceConversationMessageChannelMetadata",
}

# They show the start and the last requests of the process, which are different each time, and its
# sockets. Tests of other accounts: tests/resources/test_requests.py,
# tests/realtime/test_connections.py, tests/resources/test_activity.py.
OF_THE_PROCESS = {
    "DeleteConnection",
    "FetchActivity",
    "FetchRequest",
    "FetchServer",
    "ListConnection",
    "ListRequest",
}

NOTIFICATIONS = "Configuration/Notifications"

Dump = dict[str, bytes]
"""All responses to an account: the body for each path with its query."""


def dump(target: MatrixTarget, world: AccountObjects) -> Dump:
    """Return the owner's responses of every read operation: by sid, by name, page by page."""
    seen: Dump = {}
    for operation in account_operations():
        if operation.writes or operation.operation_id in OF_THE_PROCESS:
            continue
        values = values_of(operation, world)
        by_sid, by_name = values, names_of(operation, world, values)
        for path in dict.fromkeys((fill(operation, by_sid), fill(operation, by_name))):
            for query in queries_of(operation):
                seen[_with(path, query)] = _shown(target, operation, world, _with(path, query))
                if operation.spec.list_key:
                    _walk(target, world, _with(path, {**query, "PageSize": "1"}), seen)
    # Each account has a phone with this address, so its account alone selects the messages.
    for query in ({"PageSize": "50"}, {"PageSize": "1"}):
        _walk(
            target, world, _with(f"/parlour/v1/VirtualPhones/{SHARED_PHONE}/Messages", query), seen
        )
    return seen


def _with(path: str, query: Mapping[str, str | list[str]]) -> str:
    return f"{path}?{encode(query)}" if query else path


def get_request(world: AccountObjects, path: str) -> CallerRequest:
    """Return a read request of the owner."""
    return CallerRequest("GET", path, {}, world.login.header)


def _shown(target: MatrixTarget, operation: Operation, world: AccountObjects, path: str) -> bytes:
    answer = target.send(get_request(world, path))
    expected = 404 if operation.operation_id in NEVER_SHOWN else 200
    assert answer.status == expected, f"{path}: {answer.status} {answer.body!r}"
    return answer.body


def _walk(target: MatrixTarget, world: AccountObjects, path: str, seen: Dump) -> None:
    """Read a few pages of one item each, and from each of them the previous page."""
    at: str | None = path
    for _ in range(PAGES_MAX):
        if at is None:
            return
        seen[at] = target.send(get_request(world, at)).body
        shown = json.loads(seen[at])
        before, at = page_url(shown, "previous"), page_url(shown, "next")
        if before is not None:
            seen[before] = target.send(get_request(world, before)).body


def page_url(shown: dict[str, Any], which: str) -> str | None:
    """Return path and query of a neighbouring page, in either version of the API."""
    url = shown["meta"][f"{which}_page_url"] if "meta" in shown else shown[f"{which}_page_uri"]
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def reading(world: AccountObjects, dumped: Dump, hidden: frozenset[str]) -> Iterator[Answered]:
    """Repeat the requests: their responses must be identical."""
    for path, body in dumped.items():
        yield Answered("own things", get_request(world, path), hidden, body, (200, 404))


def writing(world: AccountObjects, hidden: frozenset[str], form: UrlForm) -> Iterator[Answered]:
    """Yield every operation of one URL form that changes something, by the owner."""
    found = [each for each in account_operations() if each.writes and each.url_form is form]
    yield from (
        _more_of_account(world, hidden) if form is UrlForm.ACCOUNT else _more(world, hidden, form)
    )
    for operation in sorted(found, key=_order):
        if operation.operation_id in OF_THE_PROCESS:
            continue
        path = fill(operation, values_of(operation, world))
        request = CallerRequest(operation.method, path, form_of(operation), world.login.header)
        yield Answered(f"{operation.operation_id} by the owner", request, hidden)


def _more(world: AccountObjects, hidden: frozenset[str], form: UrlForm) -> Iterator[Answered]:
    """Yield further requests: close, attach media, change proxy addresses, delete roles.

    Both services are tried, in settings and in default roles, which cannot be deleted: which of the
    two rows is found by a query that lacks a condition on one of them depends on their sids, which
    are random.
    """
    service = world.second if form is UrlForm.SERVICE else world.default
    base = f"/v1/Services/{service.sid}" if form is UrlForm.SERVICE else "/v1"
    conversation_path = f"{base}/Conversations/{service.chain['Conversations']}"
    only_here = f"{base}/Conversations/{service.only['Conversations']}"
    header = world.login.header
    phone = f"{conversation_path}/Participants/{service.chain['Phones']}"
    for request in (
        CallerRequest(
            "POST", f"{conversation_path}/Messages", {"MediaSid": service.chain["Media"]}, header
        ),
        CallerRequest("POST", phone, {"MessagingBinding.ProxyAddress": fresh_number()}, header),
        CallerRequest("POST", only_here, {"State": "closed"}, header),
        CallerRequest("DELETE", f"{base}/Roles/{service.chain['ServiceRoles']}", {}, header),
        CallerRequest(
            "POST", f"/v1/Services/{service.sid}/{NOTIFICATIONS}", {"LogEnabled": "true"}, header
        ),
    ):
        yield Answered("more by the owner", request, hidden)
    default_role = f"{base}/Roles/{service.chain['DefaultRoles']}"
    request = CallerRequest("DELETE", default_role, {}, header)
    yield Answered("a default role of the service", request, hidden, statuses=(409,))


def _more_of_account(world: AccountObjects, hidden: frozenset[str]) -> Iterator[Answered]:
    """Yield further requests: a phone whose address each account has, and the default retries."""
    phone, retries = f"/parlour/v1/VirtualPhones/{SHARED_PHONE}", "/parlour/v1/WebhookRetries"
    forms: list[tuple[str, str, dict[str, str]]] = [
        ("POST", phone, {"Name": "Changed"}),
        ("DELETE", phone, {}),
        ("POST", retries, {"Retries": "hosted"}),
        ("POST", retries, {"Retries": ""}),
    ]
    for method, path, form in forms:
        request = CallerRequest(method, path, form, world.login.header)
        yield Answered("more by the owner", request, hidden)


def _order(operation: Operation) -> tuple[bool, bool, int]:
    """Return a sort key: changes, then deletions of roles still assigned, then bottom up."""
    is_delete = operation.method == "DELETE"
    return is_delete, "/Roles/" not in operation.path, -operation.path.count("/")


def sending(neighbour: CallerCredentials, hidden: frozenset[str]) -> Iterator[Answered]:
    """Use a number that only the victim may send from, by an account with a list of numbers."""
    header = neighbour.header
    made = CallerRequest("POST", "/v1/Conversations", {"UniqueName": "room"}, header)
    yield Answered("a conversation", made, hidden, statuses=(201,))
    for proxy_address, statuses in ((ONLY_LISTED, (400,)), (PROXY, (201,))):
        form = _phone(fresh_number(), proxy_address)
        request = CallerRequest("POST", "/v1/Conversations/room/Participants", form, header)
        yield Answered("the twin's sender", request, hidden, statuses=statuses)


def taking(world: AccountObjects, hidden: frozenset[str]) -> Iterator[Answered]:
    """Use names, pairs and numbers of the twin or the other service: they are free here."""
    participants_path = f"/v1/Conversations/{world.default.chain['Conversations']}/Participants"
    second = f"/v1/Services/{world.second.sid}"
    lobby_sid = world.second.chain["Conversations"]
    forms: list[tuple[str, dict[str, str]]] = [
        ("/v1/Conversations", {"UniqueName": "cellar"}),
        ("/v1/Conversations", {"UniqueName": "loft"}),
        (f"{second}/Conversations", {"UniqueName": "den"}),
        ("/v1/Users", {"Identity": "carol"}),
        ("/v1/Users", {"Identity": "loft"}),
        (f"{second}/Users", {"Identity": "den"}),
        (participants_path, {"Identity": "carol"}),
        (f"{second}/Conversations/{lobby_sid}/Participants", {"Identity": "den"}),
        ("/v1/Configuration/Addresses", {"Type": "sms", "Address": ONLY_CONFIGURED}),
        ("/parlour/v1/VirtualPhones", {"Address": ONLY_PHONE}),
        *(
            (participants_path, _phone(address, PROXY))
            for address in (ONLY_LISTED, ONLY_PROXY, ONLY_CARRIED, GROUP[0])
        ),
        (participants_path, _phone(ONLY_PENDING, PROXY)),
        (participants_path, _phone(ONLY_ADDRESS, ONLY_PROXY)),
    ]
    for path, form in forms:
        request = CallerRequest("POST", path, form, world.login.header)
        yield Answered("a name that is free here", request, hidden, statuses=(201,))
    once = CallerRequest("POST", "/v1/Conversations", IDEMPOTENT_FORM, world.login.header)
    request = once._replace(idempotency_key=IDEMPOTENCY_KEY)
    yield Answered("the twin's Idempotency-Key", request, hidden, statuses=(201,))
    yield from _taking_group(world, hidden)


def _taking_group(world: AccountObjects, hidden: frozenset[str]) -> Iterator[Answered]:
    """Create a group of the same numbers as a group of the twin's."""
    named = CallerRequest("POST", "/v1/Conversations", {"UniqueName": "group"}, world.login.header)
    yield Answered("a group", named, hidden, statuses=(201,))
    participants_path = "/v1/Conversations/group/Participants"
    members = [{"Identity": "alice", "MessagingBinding.ProjectedAddress": GROUP[0]}]
    members += [{"MessagingBinding.Address": address} for address in GROUP[1:]]
    for form in members:
        request = CallerRequest("POST", participants_path, form, world.login.header)
        yield Answered("the twin's group", request, hidden, statuses=(201,))


def _phone(address: str, proxy_address: str) -> dict[str, str]:
    return {
        "MessagingBinding.Address": address,
        "MessagingBinding.ProxyAddress": proxy_address,
    }
