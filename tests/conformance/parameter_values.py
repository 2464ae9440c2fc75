"""Values of parameters: valid ones by the name of the parameter, hostile ones for any."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from parlour.vocabulary import event_names
from parlour.vocabulary.permissions import Permission
from tests.conformance.sample_resources import ACCOUNT, IDENTITIES, NEVER_MADE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.sample_resources import SampleResources

Value = str | bytes
Draw = Callable[[st.SearchStrategy[Any]], Any]

one_of = st.sampled_from
HEX = "0123456789abcdef"
_place = st.integers(0, 1_000_000)

_words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
_dates = st.one_of(
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%d}".zfill(10)),
    st.datetimes().map(lambda moment: moment.isoformat()[:19] + "Z"),
    st.datetimes().map(lambda moment: moment.isoformat()[:19] + "+05:30"),
)
_urls = one_of(["https://example.com/hook", "http://192.0.2.1:8080/x?y=z", ""])
_numbers = one_of([f"+1555200{n:04}" for n in range(40)])
_senders = one_of(["+15017122661", "+15017122662", "12345"])
_booleans = one_of(["true", "false", "True", "FALSE"])
_emails = one_of(["desk@example.com", "a.b+c@example.org", ""])
_states = one_of(["active", "inactive", "Active", "INACTIVE", *["active"] * 6, "closed"])
_indexes = st.integers(0, 12).map(str) | one_of(["", "null"])
_durations = one_of(["PT1M", "PT10M", "P1D", "P2W", "PT0S", "P1DT2H3M4S", "P7D"])
_event_names = one_of([*event_names.POST_ACTION, *event_names.PRE_ACTION])
_scoped_names = one_of(sorted(event_names.SCOPED_FILTERS))
_flows = one_of(["FW" + "0" * 31 + "1"])


def _participant(address: str | None, identity: str | None, attributes: str) -> str:
    binding = {"address": address, "proxy_address": "+15017122661"} if address else None
    named = {"identity": identity, "messaging_binding": binding, "attributes": attributes}
    return json.dumps({key: value for key, value in named.items() if value is not None})


_participants = st.builds(_participant, _numbers, st.none(), _json) | st.builds(
    _participant, st.none(), _words, st.just("{}")
)

_GOOD: dict[str, st.SearchStrategy[str]] = {
    "Address": _numbers,
    "AddressCountry": one_of(["US", "CA"]),
    "ApiKey": _words,
    "Attributes": _json | st.just(""),
    "AutoCreation.WebhookFilters": _scoped_names,
    "Author": one_of(IDENTITIES) | _words,
    "Bindings.Email.Address": _emails,
    "Body": _words,
    "Configuration.Filters": _scoped_names,
    "Configuration.FlowSid": _flows,
    "Configuration.Triggers": _words,
    "ContentVariables": one_of(['{"1": "x"}', "{}"]),
    "DefaultClosedTimer": one_of(["PT0S", "P30D"]),
    "DefaultInactiveTimer": one_of(["PT0S", "P30D"]),
    "DefaultMessagingServiceSid": one_of(["MG" + "0" * 31 + "1"]),
    "Filters": _event_names,
    "Identity": one_of(IDENTITIES) | _words,
    "LastReadMessageIndex": _indexes,
    "MessagingBinding.Address": _numbers,
    "MessagingBinding.ProxyAddress": _senders,
    "MessagingBinding.ProjectedAddress": one_of(["+15017122663", "null"]),
    "MessagingServiceSid": one_of(["MG" + "0" * 31 + "1", ""]),
    "Method": one_of(["get", "POST"]),
    "Participant": _participants,
    "Permission": one_of(sorted(Permission)),
    "PostWebhookUrl": _urls,
    "PreWebhookUrl": _urls,
    "State": _states,
    "Target": one_of(["webhook", "trigger", "studio"]),
    "Timers.Closed": _durations,
    "Timers.Inactive": _durations,
    "UniqueName": st.integers(0, 60).map(lambda n: f"unique {n}/ü"),
    "Configuration.Url": _urls,
}


def good_by_name(name: str, schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return valid values that do not depend on existing objects."""
    return _GOOD[name] if name in _GOOD else _of_schema(schema)


def good_there(draw: Draw, name: str, sample: SampleResources) -> str | None:
    """Draw the name of an existing object, for a parameter that takes such names."""
    there = _of_world(name, sample)
    return pick(draw, there) if there else None


def dice(draw: Draw) -> int:
    """Draw a number up to a million, uniformly: Hypothesis prefers the ends of a range."""
    number: int = draw(_place)
    return number * 7919 % 1_000_003


def chance(draw: Draw, percent: int) -> bool:
    """Return true with this probability."""
    return (dice(draw) + 37) % 100 < percent


def pick(draw: Draw, there: Sequence[str], first: int = 12) -> str:
    """Draw one of the existing names, mostly one of the first, which have children."""
    number = dice(draw)
    some = there[:first] if number % 4 else there
    return some[number // 4 % len(some)]


def _of_world(name: str, sample: SampleResources) -> Sequence[str]:
    if name.endswith("RoleSid"):
        return sample.there(sample.default_sid, "Roles") + sample.there(sample.service_sid, "Roles")
    if name.endswith("ServiceSid") and "Messaging" not in name:
        # The first two have children of each kind.
        return sample.there(ACCOUNT, "Services")[:2]
    return {"MediaSid": sample.media, "ContentSid": (sample.template,)}.get(name, ())


def _of_schema(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "anyOf" in schema:
        return st.one_of([_of_schema(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return one_of(schema["enum"]) | one_of(schema["enum"]).map(str.upper)
    if schema.get("pattern"):
        prefix = schema["pattern"][1:3]
        return st.text(HEX, min_size=32, max_size=32).map(lambda digits: prefix + digits)
    formats = {"date-time": _dates, "uri": _urls}
    if schema.get("type") == "boolean":
        return _booleans
    if schema.get("type") == "integer":
        low, high = max(schema.get("minimum", 0), 0), min(schema.get("maximum", 60), 60)
        return st.integers(low, high).map(str)
    if schema.get("format") in formats:
        return formats[schema["format"]]
    if "contentMediaType" in schema:
        return _json
    return _words


CORPUS: tuple[Value, ...] = (
    *("", " ", "\t", "null", "NULL", "None", "undefined", "true", "TRUE", "yes", "0", "-0", "-1"),
    *("1", "+7", " 7", "7.0", "1e3", "1e999", "NaN", "٣", "9" * 19, "9" * 40, "9" * 5000),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "2147483648"),
    *("a" * 256, "a" * 257, "é" * 300, "😀" * 256, "a" * 5_000, "b" * 17_000, "c" * 40_000),
    *("\x00", "a\x00b", "\r\nX: y", "\x1b[2J", "\u202e", "\ufeff", "\ufffe", "\u2028", "e\u0301"),
    *(b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"caf\xe9", b"%", b"%zz"),
    *("{", "}", "[]", "{}", '"x"', "[1,]", "{'a':1}", '{"a":1,"a":2}', '{"a":NaN}', "01", "-"),
    *('"\\ud800"', '"\\u0000"', '{"a":1e400}', "[" * 900 + "]" * 900, "[" * 2_000, '{"a":' * 500),
    *("1" * 4_000, f'{{"{"k" * 3000}":0}}', "// x", "{}{}", "[1e-999]", '{"1": [1]}', '{"1": 1e9}'),
    *("2023-02-30", "0000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("2023-05-04T24:00:00Z", "2023-05-04T09:42:60Z", "2023-05-04 09:42:00", "2023-05-04T09:42Z"),
    *("2023-05-04T09:42:00", "2023-05-04T09:42:00." + "9" * 40 + "Z", "20230504", "1683193320"),
    *("P", "PT", "P1Y", "P1M", "PT1S", "PT59S", "PT-1M", "P1.5D", "PT1M ", "P" + "9" * 30 + "D"),
    *("CH" + NEVER_MADE, "MB" + NEVER_MADE, "US" + NEVER_MADE, "RL" + NEVER_MADE),
    *("IS" + "F" * 32, "MG" + "g" * 32, "ch" + NEVER_MADE, "CH" + NEVER_MADE[:-1], "XX", "AC"),
    *("system", "' OR 1=1 --", '"; DROP TABLE message; --', "$1", "%s", "{0}", "{name}", "${X}"),
    *("..", "../..", "/", "//", "a/b", ".", "%2e%2e", "Webhooks", "Participants", "a?b", "a#b"),
    *("http://", "http://[::1", "ftp://x", "javascript:alert(1)", "http://a b", "http://x:99999/"),
    *("https://" + "a" * 600, "http://x/" + "a" * 503, "//example.com", "http://user:pw@host/"),
    *("+", "+1", "1555", "+0155520000", "+" + "1" * 16, "whatsapp:", "whatsapp:+15552000001"),
    *("sms:+1", "messenger:x", "rcs:+15552000001", "a@b", "a@b.c", "@", "urn:mbid:x", "12345"),
    *("closed", "initializing", "ACTIVE ", "desc", "webhook", "studio", "apn", "conversation"),
    *("onMessageAdd", "onMessageAdded", "onmessageadded", "sendMessage", "flex", "PUT", "x" * 249),
)  # fmt: skip

hostile: st.SearchStrategy[Value] = st.one_of(
    one_of(CORPUS),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=12),
)
"""Texts and bytes that may break a parser."""
