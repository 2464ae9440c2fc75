"""Validation of a new fault: which criteria and effects fit together."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from parlour.realtime.disconnects import REFUSALS
from parlour.testmode.faults import fault as faults
from parlour.testmode.faults import operation_names
from parlour.testmode.faults.fault import CARRIER, REQUEST, SOCKET, WEBHOOK, FaultRule
from parlour.testmode.faults.parameters import REASONS
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import CATALOGUE, LOG_ONLY, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.testmode.faults.parameters import CreateFault

FIELDS: Final = {
    REQUEST: {
        "Operation": "operations",
        "Method": "method",
        "Path": "path",
        "Identity": "identity",
        "Source": "source",
        "Phase": "phase",
        "Status": "status",
        "Code": "code",
        "RetryAfter": "retry_after",
        "DelayMs": "delay_ms",
        "Drop": "drop",
        "Truncate": "truncate",
    },
    SOCKET: {
        "Identity": "identity",
        "When": "when",
        "Close": "close",
        "Drop": "drop",
        "Refuse": "refuse",
        "HoldMs": "hold_ms",
        "ExpireToken": "expire_token",
    },
    WEBHOOK: {
        "Url": "url",
        "EventType": "event_type",
        "Kind": "kind",
        "Phase": "phase",
        "Status": "status",
        "Timeout": "timeout",
        "DelayMs": "delay_ms",
        "Drop": "drop",
        "Duplicate": "duplicate",
    },
    CARRIER: {
        "From": "sender",
        "To": "recipient",
        "Channel": "channel",
        "Error": "error",
        "DelayMs": "delay_ms",
        "Receipts": "receipts",
    },
}
"""The parameters of each target, with the fields of a rule."""
_EFFECTS: Final = {
    REQUEST: ("Status", "Code", "DelayMs", "Drop", "Truncate"),
    SOCKET: ("Close", "Drop", "Refuse", "HoldMs", "ExpireToken"),
    WEBHOOK: ("Status", "Timeout", "DelayMs", "Drop", "Duplicate"),
    CARRIER: ("Error", "DelayMs", "Receipts"),
}
_UNTOUCHED: Final = ("/parlour", "/healthz", "/metrics")
_ERROR_STATUS_MIN: Final = 400


def checked_rule(parameters: CreateFault) -> FaultRule:
    """Return the rule of a new fault, with its defaults. Raises 20001 with the reason."""
    given = parameters.given()
    _require_own_fields(given)
    if "operations" in given:
        given["operations"] = tuple(given["operations"])
    is_now = given["target"] == SOCKET and given.get("when", faults.NOW) == faults.NOW
    if is_now and "refuse" not in given:
        # It acts once, on every connection that matches, and is spent.
        given.setdefault("times", 0)
    rule = FaultRule(**given)
    effects = _effects_of(rule)
    if not effects:
        names = ", ".join(_EFFECTS[rule.target])
        raise ApiError(20001, f"A fault with Target={rule.target} needs an effect: {names}.")
    return _CHECKS[rule.target](rule, effects)


def _require_own_fields(given: dict[str, Any]) -> None:
    """Raise 20001 for a parameter of another target."""
    target = given["target"]
    own = set(FIELDS[target].values())
    for fields in FIELDS.values():
        for wire_name, field in fields.items():
            if field in given and field not in own:
                raise ApiError(20001, f"{wire_name} is no parameter of Target={target}.")


def _effects_of(rule: FaultRule) -> list[str]:
    """Return the wire names of the effects that a rule has."""
    fields, absent = FIELDS[rule.target], FaultRule(target=rule.target)
    return [
        name
        for name in _EFFECTS[rule.target]
        if getattr(rule, fields[name]) != getattr(absent, fields[name])
    ]


def _require(condition: object, reason: str) -> None:
    if not condition:
        raise ApiError(20001, reason)


def _require_one_of(effects: list[str], *exclusive: str) -> None:
    """Raise 20001 if a fault has several effects that exclude each other."""
    found = [name for name in exclusive if name in effects]
    _require(len(found) <= 1, f"{' and '.join(found)} exclude each other.")


# --- Requests -----------------------------------------------------------------------------


def _check_request(rule: FaultRule, effects: list[str]) -> FaultRule:
    if rule.operations is not None:
        _check_operations(rule.operations)
    if rule.path is not None:
        _require(rule.path.startswith("/"), "Path begins with a slash.")
        names = ", ".join(_UNTOUCHED)
        touches = rule.path.startswith(_UNTOUCHED)
        _require(not touches, f"Faults act on no path below {names}.")
    if rule.source == faults.SDK:
        _require(rule.path is None, "Path is of REST: requests of client SDKs have no such path.")
        _require(rule.truncate is None, "Truncate is of REST: replies to client SDKs are frames.")
    is_identity_possible = rule.identity is None or rule.source != faults.REST
    _require(is_identity_possible, "Identity is of client SDKs: it excludes Source=rest.")
    has_error = rule.status is not None or rule.code is not None
    _require(has_error or rule.retry_after is None, "RetryAfter needs Status or Code.")
    if rule.drop:
        others = [name for name in effects if name not in {"Drop", "DelayMs"}]
        _require(not others, f"Drop leaves no answer: it excludes {', '.join(others)}.")
    if rule.status is not None:
        _require(rule.status >= _ERROR_STATUS_MIN, "Status is an error: 400 to 599.")
    elif rule.code is not None:
        _require(
            CATALOGUE[rule.code].status != LOG_ONLY,
            f"Code {rule.code} is only in logs and has no status: give Status as well.",
        )
    phase = rule.phase
    if rule.truncate is not None and not has_error:
        _require(
            phase != faults.BEFORE,
            "Truncate cuts the answer of a request that was done: it excludes Phase=before.",
        )
        phase = faults.AFTER
    return _with_phase(rule, phase)


def _check_operations(names: tuple[str, ...]) -> None:
    most = limits.FAULT_OPERATIONS_MAX
    _require(len(names) <= most, f"A fault has {most} operations at most.")
    for name in names:
        if operation_names.is_known(name):
            continue
        near = get_close_matches(name, operation_names.known_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ApiError(20001, f"No fault can act on the operation {name}{hint}")


def _with_phase(rule: FaultRule, phase: str | None) -> FaultRule:
    return replace(rule, phase=phase or faults.BEFORE)


# --- The other targets --------------------------------------------------------------------


def _check_socket(rule: FaultRule, effects: list[str]) -> FaultRule:
    _require_one_of(effects, *_EFFECTS[SOCKET])
    when = rule.when
    if rule.refuse is not None:
        _require(
            rule.scope == faults.SERVER,
            "Refuse needs Scope=server: an upgrade has no account yet.",
        )
        _require(rule.identity is None, "Refuse excludes Identity: an upgrade has none yet.")
        _require(when in {None, faults.CONNECT}, f"Refuse is at the upgrade: not When={when}.")
        when = faults.CONNECT
    elif rule.close is not None and REASONS[rule.close] in REFUSALS:
        reason = f"{rule.close} refuses a new connection: it needs When=connect."
        _require(when == faults.CONNECT, reason)
    return replace(rule, when=when or faults.NOW)


def _check_webhook(rule: FaultRule, effects: list[str]) -> FaultRule:
    _require_one_of(effects, "Status", "Timeout", "Drop")
    is_pre = rule.event_type in event_names.PRE_ACTION
    if rule.event_type is not None and rule.kind is not None:
        fits = is_pre is (rule.kind == faults.PRE)
        _require(fits, f"{rule.event_type} is no event of Kind={rule.kind}.")
    has_outcome = rule.status is not None or rule.timeout or rule.drop
    if rule.duplicate and has_outcome:
        _require(
            rule.phase == faults.AFTER,
            "Duplicate repeats a request that is made: with another effect it needs Phase=after.",
        )
    return _with_phase(rule, rule.phase)


def _check_carrier(rule: FaultRule, effects: list[str]) -> FaultRule:
    if rule.receipts == faults.NEVER:
        others = [name for name in effects if name != "Receipts"]
        _require(not others, f"Receipts=never reports nothing: it excludes {', '.join(others)}.")
    return rule


_CHECKS: Final[dict[str, Callable[[FaultRule, list[str]], FaultRule]]] = {
    REQUEST: _check_request,
    SOCKET: _check_socket,
    WEBHOOK: _check_webhook,
    CARRIER: _check_carrier,
}
