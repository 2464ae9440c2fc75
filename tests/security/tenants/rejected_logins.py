"""Invalid logins, and the twin's, which is valid for another account."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from parlour.operations.operation import UrlForm
from tests.security.tenants.matrix import Alike, Answered, values_of
from tests.security.tenants.owner_actions import OF_THE_PROCESS, get_request, page_url
from tests.security.tenants.path_variables import fill, kinds_of
from tests.security.tenants.targets import CallerCredentials, CallerRequest, MatrixTarget
from tests.security.tenants.twin_accounts import AccountClient, AccountObjects, build
from tests.security.tenants.valid_forms import form_of, queries_of
from tests.support.account_operations import account_operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.operations.operation import Operation
    from tests.security.tenants.intruder_and_victim import IntruderAndVictim
    from tests.security.tenants.targets import Fields

CACHED_SECONDS_MAX = 2.0
ANY_STATUS = tuple(range(200, 500))


class RejectedLogin(NamedTuple):
    """One class of credentials, and its rejection."""

    name: str
    authorization: str | None
    status: int = 401
    code: int = 20003


def refused(pair: IntruderAndVictim) -> list[RejectedLogin]:
    """Return every class of invalid credentials."""
    victim, intruder = pair.victim, pair.intruder
    assert victim.key is not None
    assert intruder.key is not None
    unknown = f"AC{secrets.token_hex(16)}"
    unknown_key = f"SK{secrets.token_hex(16)}"
    access_token = _access_token(victim)
    logins = {
        "an unknown account": CallerCredentials(unknown, intruder.login.secret),
        "an unknown key": CallerCredentials(unknown_key, intruder.key.secret),
        "a wrong token": CallerCredentials(victim.sid, secrets.token_hex(16)),
        "no token": CallerCredentials(victim.sid, ""),
        "a token with something after it": CallerCredentials(victim.sid, f"{victim.login.secret} "),
        "the twin's token": CallerCredentials(victim.sid, intruder.login.secret),
        "the twin's key secret": CallerCredentials(victim.key.name, intruder.key.secret),
        "the key secret as auth token": CallerCredentials(victim.sid, victim.key.secret),
        "the auth token as key secret": CallerCredentials(victim.key.name, victim.login.secret),
        "a revoked key": _revoked(pair.target, victim),
        "a realtime access token": CallerCredentials(victim.key.name, access_token),
    }
    return [
        RejectedLogin("nothing", None),
        RejectedLogin("an empty header", ""),
        RejectedLogin("a scheme alone", "Basic"),
        RejectedLogin("no base64", "Basic ~~~~"),
        RejectedLogin("no colon", "Basic " + base64.b64encode(victim.sid.encode()).decode()),
        RejectedLogin("a bearer", f"Bearer {victim.login.secret}"),
        RejectedLogin("a bearer with an access token", f"Bearer {access_token}"),
        *(RejectedLogin(name, login.header) for name, login in logins.items()),
        *_suspended(pair.target),
    ]


def _access_token(world: AccountObjects) -> str:
    """Return a token in the format of the chat SDKs, correctly signed by a key of the account."""
    assert world.key is not None
    header = {"typ": "JWT", "alg": "HS256", "cty": "twilio-fpa;v=1"}
    claims = {
        "jti": f"{world.key.name}-1",
        "iss": world.key.name,
        "sub": world.sid,
        "exp": 4_000_000_000,
        "grants": {"identity": "alice", "chat": {"service_sid": world.default.sid}},
    }
    parts = [_url_safe(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return (
        f"{signed}.{_url_safe(hmac.digest(world.key.secret.encode(), signed.encode(), 'sha256'))}"
    )


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _revoked(target: MatrixTarget, world: AccountObjects) -> CallerCredentials:
    """Return a revoked key that was valid before."""
    account = AccountClient(target, world.login)
    path = f"/2010-04-01/Accounts/{world.sid}/Keys"
    made = account.post(f"{path}.json", FriendlyName="Revoked")
    login = CallerCredentials(made["sid"], made["secret"])
    assert target.send(CallerRequest("GET", "/v1/Services", {}, login.header)).status == 200
    deletion = CallerRequest("DELETE", f"{path}/{login.name}.json", {}, world.login.header)
    assert target.send(deletion).status == 204
    return login


def _suspended(target: MatrixTarget) -> list[RejectedLogin]:
    """Return the correct credentials of a suspended account."""
    world = build(target)
    target.suspend(world.sid)
    assert world.key is not None
    logins = {"a suspended account": world.login, "a suspended account's key": world.key}
    for login in logins.values():
        _wait_until_refused(target, login)
    return [RejectedLogin(name, login.header, 403, 20005) for name, login in logins.items()]


def _wait_until_refused(target: MatrixTarget, login: CallerCredentials) -> None:
    """Logins are cached briefly; changes by another process take effect after that."""
    deadline = time.monotonic() + CACHED_SECONDS_MAX
    while target.send(CallerRequest("GET", "/v1/Services", {}, login.header)).status != 403:
        assert time.monotonic() < deadline, "A suspended account is still let in."
        target.pause()


def requests_of(world: AccountObjects) -> Iterator[tuple[Operation, CallerRequest]]:
    """Return each operation as the owner's request, but without credentials."""
    for operation in account_operations():
        path = fill(operation, values_of(operation, world))
        fields = form_of(operation) if operation.writes else queries_of(operation)[0]
        yield operation, CallerRequest(operation.method, path, fields, None)


def as_the_twin(pair: IntruderAndVictim, login: CallerCredentials) -> Iterator[Answered]:
    """Return the victim's requests with a valid login of the twin: the objects are not found."""
    for operation, request in requests_of(pair.victim):
        statuses = (404,) if kinds_of(operation) else ANY_STATUS
        if operation.needs_auth_token and login.name.startswith("SK"):
            statuses = (403,)  # For any object.
        name = f"{operation.operation_id} with the twin's login"
        sent = request._replace(authorization=login.header)
        yield Answered(name, sent, pair.hidden, statuses=statuses)


def page_tokens(pair: IntruderAndVictim) -> Iterator[Alike]:
    """Return every list with a page token of the twin, or of the same list in the other service."""
    intruder, victim = pair.intruder, pair.victim
    for operation in account_operations():
        if not operation.spec.list_key or operation.operation_id in OF_THE_PROCESS:
            continue
        own = fill(operation, values_of(operation, intruder))
        theirs = fill(operation, values_of(operation, victim))
        for query in queries_of(operation):
            yield _with_token(pair, operation, own, query, _token(pair, victim, theirs, query))
        if operation.url_form is UrlForm.SERVICE:
            query = queries_of(operation)[0]
            other = fill(operation, values_of(operation, intruder, intruder.default))
            yield _with_token(pair, operation, own, query, _token(pair, intruder, other, query))


def _token(pair: IntruderAndVictim, world: AccountObjects, path: str, query: Fields) -> str:
    request = get_request(world, path)._replace(fields={**query, "PageSize": "1"})
    following = page_url(json.loads(pair.target.send(request).body), "next")
    assert following is not None, f"{path} {query}: twins need two of everything"
    return following.rpartition("PageToken=")[2]


def _with_token(
    pair: IntruderAndVictim, operation: Operation, path: str, query: Fields, token: str
) -> Alike:
    broken = token[:-1] + ("A" if token[-1] != "A" else "B")

    def request(text: str) -> CallerRequest:
        fields = {**query, "PageSize": "1", "PageToken": text}
        return get_request(pair.intruder, path)._replace(fields=fields)

    name = f"{operation.operation_id}, another's PageToken"
    return Alike(name, request(token), token, request(broken), broken, pair.hidden, (400,))
