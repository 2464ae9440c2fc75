"""The matrix, derived from the table of operations: a new operation is in it or fails it.

A cell is one attempt of a caller. ``Alike`` is its commonest form: a request with another account's
sid must get, byte for byte, the response to a request with a sid that was never assigned.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parlour.operations.operation import UrlForm
from parlour.operations.parameters import wire_names
from tests.security.tenants.path_variables import (
    KINDS,
    fill,
    kinds_of,
    never_made,
    never_made_address,
    never_made_like,
)
from tests.security.tenants.targets import (
    SID,
    CallerCredentials,
    CallerRequest,
    ComparableResponse,
    MatrixTarget,
)
from tests.security.tenants.twin_accounts import CHAIN_OF_USER, AccountObjects, ServiceObjects
from tests.security.tenants.valid_forms import FRESH_NAME, form_of, participant, queries_of
from tests.support.account_operations import account_operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from parlour.operations.operation import Operation

DATE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")

ACCESS_TOKEN = re.compile(r"\beyJ[\w-]+\.(eyJ[\w-]+)\.")

DONE = (200, 201, 202, 204)
REFUSED = (400, 404)

# Parameters that name an object: where a chain or an account stores it.
OF_SERVICE = {
    "DefaultConversationCreatorRoleSid": "Roles",
    "DefaultConversationRoleSid": "Roles",
    "DefaultChatServiceRoleSid": "ServiceRoles",
    "MediaSid": "Media",
    "Participant": "Roles",
    "ConversationSid": "Conversations",
    "Sid": "Conversations",
}
OF_ACCOUNT = {
    "DefaultChatServiceSid": "Services",
    "AutoCreation.ConversationServiceSid": "Services",
    "ServiceSid": "Services",
    "ApiKeySid": "Keys",
    "ContentSid": "ContentTemplates",
    "DefaultMessagingServiceSid": "MessagingServices",
    "MessagingServiceSid": "MessagingServices",
    "RequestSid": "Requests",
    "AttemptSid": "WebhookAttempts",
}
# Flows belong to another product: no account has any here.
WITHOUT_OWNER = {"AutoCreation.StudioFlowSid", "Configuration.FlowSid"}
# Only stored, or only a filter: any value will do, and none is resolved.
NEVER_REFUSED = {"MessagingServices", "Conversations", "Requests", "WebhookAttempts"}
PREFIXES = {
    "Conversations": "CH",
    "Roles": "RL",
    "ServiceRoles": "RL",
    "Media": "ME",
    "Services": "IS",
} | {
    "ContentTemplates": "HX",
    "Keys": "SK",
    "MessagingServices": "MG",
    "Requests": "RQ",
    "WebhookAttempts": "NO",
}


@dataclass(frozen=True)
class Alike:
    """Two requests that differ in one value, which never exists for the caller."""

    name: str
    asked: CallerRequest
    value: str
    control: CallerRequest
    control_value: str
    hidden: frozenset[str]
    statuses: tuple[int, ...] = (404,)

    def run(self, target: MatrixTarget) -> list[str]:
        """Return the errors as text."""
        answer, control = target.send(self.asked), target.send(self.control)
        found = shown_of(answer, self.asked, self.hidden)
        if control.status not in self.statuses:
            found.append(f"a sid that was never made gives {control.status}: {control.body!r}")
        if alike(answer, self.value) != alike(control, self.control_value):
            found.append(f"{answer.status} {answer.body!r}, but {control.status} {control.body!r}")
        return [f"{self.name}: {self.asked}: {each}" for each in found]


@dataclass(frozen=True)
class Answered:
    """A caller's request about its own objects: it succeeds, and reveals no other account."""

    name: str
    asked: CallerRequest
    hidden: frozenset[str]
    body: bytes | None = None
    statuses: tuple[int, ...] = DONE

    def run(self, target: MatrixTarget) -> list[str]:
        """Return the errors as text."""
        answer = target.send(self.asked)
        found = shown_of(answer, self.asked, self.hidden)
        if answer.status not in self.statuses:
            found.append(f"{answer.status} {answer.body!r}")
        elif self.body is not None and answer.body != self.body:
            found.append(f"{answer.body!r} instead of {self.body!r}")
        return [f"{self.name}: {self.asked}: {each}" for each in found]


Cell = Alike | Answered


def shown_of(answer: ComparableResponse, asked: CallerRequest, hidden: frozenset[str]) -> list[str]:
    """Return the sids in a response that the caller must not learn, except those that it sent."""
    sent = f"{asked.path} {asked.fields}"
    text = answer.body.decode() + repr(answer.headers)
    text += "".join(map(_claims_of, ACCESS_TOKEN.findall(text)))
    return [f"shows {sid}" for sid in sorted(set(SID.findall(text)) & hidden) if sid not in sent]


def _claims_of(payload: str) -> str:
    """Return the claims of an access token, which name its key."""
    return base64.urlsafe_b64decode(f"{payload}==").decode()


def alike(answer: ComparableResponse, value: str) -> tuple[int, Any, bytes]:
    """Return a response without the tried value, and without values that always differ."""
    body = answer.body.replace(value.encode(), b"{it}")
    if answer.status < 300:
        body = FRESH_NAME.sub("{fresh}", body.decode()).encode()
        body = DATE.sub(b"{date}", SID.sub(lambda sid: sid[0][:2], body.decode()).encode())
    return answer.status, answer.headers, body


@dataclass
class Matrix:
    """One account that tries all operations on objects of its twin, or of its other service."""

    intruder: AccountObjects
    victim: AccountObjects
    hidden: frozenset[str]
    hidden_of_service: dict[str, frozenset[str]]
    login: CallerCredentials | None = None
    operations: Sequence[Operation] = field(default_factory=account_operations)

    def _send(self, operation: Operation, values: Sequence[str]) -> CallerRequest:
        header = (self.login or self.intruder.login).header
        fields = form_of(operation) if operation.writes else queries_of(operation)[0]
        return CallerRequest(operation.method, fill(operation, values), fields, header)

    def _not_for(self, service: ServiceObjects) -> frozenset[str]:
        return self.hidden | self.hidden_of_service[service.sid]

    # Positions.

    def positions(self) -> Iterator[Cell]:
        """Return every variable of a path, with another account's value."""
        for operation in self.operations:
            for target in range(len(kinds_of(operation))):
                yield from self._twins(operation, target)
                yield from self._other_service(operation, target)
                yield from self._elsewhere(operation, target)
                yield from self._names(operation, target)

    def _cell(
        self,
        name: str,
        operation: Operation,
        values: list[str],
        target: int,
        *,
        hidden: frozenset[str] | None = None,
        control_value: str | None = None,
    ) -> Alike:
        """Return the values, and the same with one that was never assigned."""
        kind = kinds_of(operation)[target]
        is_address = kind == "VirtualPhones"
        value = values[target]
        never = control_value or (never_made_address(value) if is_address else never_made(kind))
        control = [*values[:target], never, *values[target + 1 :]]
        return Alike(
            f"{operation.operation_id}, {kind}, {name}",
            self._send(operation, values),
            values[target],
            self._send(operation, control),
            never,
            self.hidden if hidden is None else hidden,
        )

    def _twins(self, operation: Operation, target: int) -> Iterator[Cell]:
        own, theirs = values_of(operation, self.intruder), values_of(operation, self.victim)
        values = [*own[:target], *theirs[target:]]
        yield self._cell("the twin's sid", operation, values, target)
        named = [*values[: target + 1], *names_of(operation, self.victim, theirs)[target + 1 :]]
        if named != values:
            yield self._cell("the twin's sid, then names", operation, named, target)

    def _other_service(self, operation: Operation, target: int) -> Iterator[Cell]:
        kinds = kinds_of(operation)
        own = values_of(operation, self.intruder)
        here, other = services_of(operation, self.intruder)
        theirs = values_of(operation, self.intruder, other)
        if kinds[target] == "Services" and len(own) > target + 1:
            values = [*own[:target], theirs[target], *own[target + 1 :]]
        elif KINDS[kinds[target]].is_of_service:
            values = [*own[:target], *theirs[target:]]
        else:
            return
        hidden = self._not_for(here if kinds[target] == "Services" else other)
        yield self._cell("another service's sid", operation, values, target, hidden=hidden)

    def _elsewhere(self, operation: Operation, target: int) -> Iterator[Cell]:
        kinds = kinds_of(operation)
        if "Conversations" not in kinds[:target] or "Users" in kinds:
            return
        here, _ = services_of(operation, self.intruder)
        own = values_of(operation, self.intruder)
        values = [*own[:target], *(here.elsewhere[kind] for kind in kinds[target:])]
        yield self._cell("another conversation's sid", operation, values, target)

    def _names(self, operation: Operation, target: int) -> Iterator[Cell]:
        kind = kinds_of(operation)[target]
        if not KINDS[kind].has_names:
            return
        own, theirs = values_of(operation, self.intruder), values_of(operation, self.victim)
        _, other = services_of(operation, self.intruder)
        tried = [("the twin's name", self.victim.only, theirs)]
        if KINDS[kind].is_of_service:
            others = values_of(operation, self.intruder, other)
            tried.append(("another service's name", other.only, others))
        for name, only, rest in tried:
            value = only[kind]
            values = [*own[:target], value, *rest[target + 1 :]]
            never = never_made_like(value)
            yield self._cell(name, operation, values, target, control_value=never)

    # Parameters.

    def parameters(self) -> Iterator[Cell]:
        """Return every parameter that names an object, with another account's value."""
        for operation in self.operations:
            for name, _, _ in wire_names(operation.spec.parameters):
                if name not in WITHOUT_OWNER and (name.endswith("Sid") or name == "Participant"):
                    yield from self._parameter(operation, name)

    def _parameter(self, operation: Operation, name: str) -> Iterator[Cell]:
        _, other = services_of(operation, self.intruder)
        theirs, _ = services_of(operation, self.victim)
        if name in OF_ACCOUNT:
            kind = OF_ACCOUNT[name]
            tried = [("the twin's", self.victim.account[kind])]
        else:
            kind = _role_of(operation) if name == "RoleSid" else OF_SERVICE[name]
            tried = [("the twin's", theirs.chain[kind])]
            if operation.url_form is not UrlForm.ACCOUNT:
                tried.append(("another service's", other.chain[kind]))
        for whose, value in tried:
            never = PREFIXES[kind] + secrets.token_hex(16)
            yield Alike(
                f"{operation.operation_id}, {name}, {whose}",
                self._saying(operation, name, value),
                value,
                self._saying(operation, name, never),
                never,
                self.hidden,
                DONE if kind in NEVER_REFUSED else REFUSED,
            )

    def _saying(self, operation: Operation, name: str, value: str) -> CallerRequest:
        request = self._send(operation, values_of(operation, self.intruder))
        sent = [participant(role_sid=value)] if name == "Participant" else value
        return request._replace(fields={**request.fields, name: sent})


def _role_of(operation: Operation) -> str:
    return "ServiceRoles" if "User" in operation.spec.parameters.__name__ else "Roles"


def services_of(
    operation: Operation, world: AccountObjects
) -> tuple[ServiceObjects, ServiceObjects]:
    """Return the service that an operation is tried in, and the account's other one."""
    if operation.url_form is UrlForm.SERVICE:
        return world.second, world.default
    return world.default, world.second


def values_of(
    operation: Operation, world: AccountObjects, service: ServiceObjects | None = None
) -> list[str]:
    """Return the path variables of an operation, of one account and one of its services."""
    here = service or services_of(operation, world)[0]
    kinds = kinds_of(operation)
    values = []
    for target, kind in enumerate(kinds):
        if kind == "Conversations" and "Users" in kinds[:target]:
            values.append(here.chain[CHAIN_OF_USER])
        elif KINDS[kind].is_of_service or operation.url_form is UrlForm.SERVICE:
            values.append(here.chain[kind])
        else:
            values.append(world.account[kind])
    return values


def names_of(operation: Operation, world: AccountObjects, values: Sequence[str]) -> list[str]:
    """Return the same, by names wherever objects have one."""
    here, _ = services_of(operation, world)
    names = here.names | world.names
    kinds = kinds_of(operation)
    in_user = "Users" in kinds
    return [
        "attic" if in_user and kind == "Conversations" else names.get(kind, value)
        for kind, value in zip(kinds, values, strict=True)
    ]
