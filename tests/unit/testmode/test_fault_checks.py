"""Which criteria and effects of a fault fit together, and the errors of the other ones."""

from __future__ import annotations

import pytest

from parlour.testmode.faults.checks import FIELDS, checked_rule
from parlour.testmode.faults.fault import FaultRule
from parlour.testmode.faults.parameters import CreateFault
from parlour.vocabulary.errors import ApiError


def _rule(text: str) -> FaultRule:
    form: dict[str, list[str]] = {}
    for pair in text.split():
        name, _, value = pair.partition("=")
        form.setdefault(name, []).append(value)
    return checked_rule(CreateFault.parse(form))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Target=request", "needs an effect: Status, Code, DelayMs, Drop, Truncate"),
        ("Target=request DelayMs=0", "needs an effect"),
        ("Target=carrier Drop=true", "Drop is no parameter of Target=carrier"),
        ("Target=request Status=500 When=now", "When is no parameter of Target=request"),
        ("Target=request Status=500 Url=http://x", "Url is no parameter of Target=request"),
        ("Target=request Status=302", "Status is an error: 400 to 599"),
        ("Target=request Code=77777", "77777 is no error code of the server"),
        ("Target=request Code=11200", "Code 11200 is only in logs"),
        ("Target=request RetryAfter=1 DelayMs=5", "RetryAfter needs Status or Code"),
        ("Target=request Drop=true Status=500", "it excludes Status"),
        ("Target=request Drop=true Truncate=1", "it excludes Truncate"),
        ("Target=request Truncate=5 Phase=before", "excludes Phase=before"),
        ("Target=request Truncate=5 Source=sdk", "Truncate is of REST"),
        ("Target=request Status=500 Path=/v1 Source=sdk", "Path is of REST"),
        ("Target=request Status=500 Path=v1", "Path begins with a slash"),
        ("Target=request Status=500 Path=/parlour/v1/Tokens", "no path below /parlour"),
        ("Target=request Status=500 Path=/metrics", "no path below /parlour, /healthz, /metrics"),
        ("Target=request Status=500 Source=rest Identity=a", "excludes Source=rest"),
        ("Target=request Status=500 Operation=CreateUsers", "did you mean CreateUser?"),
        ("Target=request Status=500 Operation=FetchFault", "No fault can act on"),
        ("Target=request Status=500 Operation=CreateToken", "No fault can act on"),
        ("Target=request Status=500 Probability=0", "above 0"),
        ("Target=request Status=500 Probability=1.5", "above 0"),
        ("Target=request Status=500 Times=-1", "Invalid Times"),
        ("Target=request DelayMs=60001", "Invalid DelayMs"),
        ("Target=request Status=500 Name=a\x7fb", "Invalid Name"),
        ("Target=socket", "needs an effect: Close, Drop, Refuse, HoldMs, ExpireToken"),
        ("Target=socket Drop=true HoldMs=5", "Drop and HoldMs exclude each other"),
        ("Target=socket Close=SOMETHING", "the reasons are ACCOUNT_NOT_ACTIVE"),
        ("Target=socket Close=TOKEN_EXPIRED", "needs When=connect"),
        ("Target=socket Refuse=503", "Refuse needs Scope=server"),
        ("Target=socket Refuse=500 Scope=server", "refused with 503"),
        ("Target=socket Refuse=503 Scope=server Identity=a", "excludes Identity"),
        ("Target=socket Refuse=503 Scope=server When=message", "not When=message"),
        ("Target=webhook EventType=onUserAdded", "needs an effect"),
        ("Target=webhook EventType=onNothing Status=500", "no webhook has the event onNothing"),
        ("Target=webhook EventType=onUserAdd Kind=pre Status=500", "no webhook has the event"),
        ("Target=webhook EventType=onMessageAdd Kind=post Status=500", "no event of Kind=post"),
        ("Target=webhook EventType=onMessageAdded Kind=pre Status=500", "no event of Kind=pre"),
        ("Target=webhook Status=500 Timeout=true", "Status and Timeout exclude each other"),
        ("Target=webhook Duplicate=1 Drop=true", "needs Phase=after"),
        ("Target=carrier To=+15550100", "needs an effect: Error, DelayMs, Receipts"),
        ("Target=carrier Error=20001", "no carrier fails messages with 20001"),
        ("Target=carrier Receipts=never DelayMs=5", "it excludes DelayMs"),
        ("Target=carrier Receipts=never Error=30003", "it excludes Error"),
        ("Target=elsewhere Status=500", "Invalid Target"),
    ],
)
def test_an_impossible_fault_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ApiError) as raised:
        _rule(text)

    assert (raised.value.status, raised.value.code) == (400, 20001)
    assert reason in raised.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Target=request Status=429", {"phase": "before", "times": 1}),
        ("Target=request Truncate=0", {"phase": "after", "truncate": 0}),
        ("Target=request Truncate=4 Status=500", {"phase": "before"}),
        ("Target=request Code=30003 Status=400", {"code": 30003}),
        ("Target=request Status=500 Times=0 Skip=3", {"times": 0, "skip": 3}),
        ("Target=request Status=500 Operation=Create* Operation=FetchUser", {"probability": 1}),
        ("Target=request Status=500 Drop=false", {"drop": False}),
        ("Target=socket Drop=true", {"when": "now", "times": 0}),
        ("Target=socket Drop=true When=message", {"when": "message", "times": 1}),
        ("Target=socket Refuse=503 Scope=server", {"when": "connect", "times": 1}),
        ("Target=socket Close=token_expired When=connect", {"close": "TOKEN_EXPIRED"}),
        ("Target=webhook Duplicate=2 Status=500 Phase=after", {"duplicate": 2}),
        ("Target=webhook Timeout=true Kind=pre", {"phase": "before"}),
        ("Target=carrier Error=30003 From=+15550100", {"sender": "+15550100"}),
    ],
)
def test_the_defaults_of_a_fault_depend_on_its_effect(
    text: str, expected: dict[str, object]
) -> None:
    rule = _rule(text)

    assert {name: getattr(rule, name) for name in expected} == expected


def test_every_field_of_a_rule_belongs_to_a_target_or_to_all() -> None:
    common = {"target", "scope", "name", "skip", "times", "probability"}
    own = {field for fields in FIELDS.values() for field in fields.values()}

    assert common | own == set(FaultRule.__struct_fields__)
