"""Generated seeds: worlds that are valid, with everything that the API allows in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from parlour.vocabulary.permissions import PERMISSIONS, RoleType

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[Any]], Any]

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
IDENTITIES = st.sampled_from(["alice", "bob", "Zoë", "a b", "+15550100", "1"])
DATES = st.sampled_from(
    ["-PT2H", "-P3D", "2025-12-31T23:59:59Z", "2024-02-29", "1999-01-01T00:00:00+02:00"]
)
ATTRIBUTES = st.one_of(
    st.dictionaries(TEXTS, st.integers() | TEXTS | st.none() | st.lists(st.booleans()), max_size=3),
    st.sampled_from(['{"a":  1}', '"text"', "null", "[1.0]", "{}", [], 7, True]),
)
URLS = st.sampled_from(["https://app.example/a", "http://localhost:9/b?c=d"])
FILTERS = st.lists(
    st.sampled_from(["onMessageAdded", "onParticipantAdded"]), min_size=1, unique=True
)
PERMISSION_LISTS = {
    kind.value: st.lists(
        st.sampled_from(sorted(each.value for each in PERMISSIONS[kind])), min_size=1, max_size=4
    )
    for kind in RoleType
}


def _some(draw: Draw, **values: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Return some of these keys."""
    return {name: draw(each) for name, each in values.items() if draw(st.booleans())}


def _dated(draw: Draw) -> dict[str, Any]:
    return _some(draw, date_created=DATES, date_updated=DATES)


@st.composite
def seeds(draw: Draw) -> dict[str, Any]:
    """Return a valid seed for an empty account."""
    services = [
        {"key": f"s{n}", "friendly_name": draw(NAMES), **_dated(draw)}
        | _some(draw, reachability=st.booleans())
        for n in range(draw(st.integers(0, 2)))
    ]
    if services and draw(st.booleans()):
        services[0]["default"] = True
    # The default service has no reference here, so that no identity occurs twice in it.
    references = [None, *(each["key"] for each in services if not each.get("default"))]
    roles = _roles(draw, references)
    pairs = [("+15550100", "+15550999"), ("+15550101", "+15550999"), ("+15550100", "+15550998")]
    conversations = []
    for number in range(draw(st.integers(0, 3))):
        service = draw(st.sampled_from(references))
        conversations.append(_conversation(draw, number, service, roles, pairs))
    return {
        "parlour": 1,
        "account": _account(draw),
        "services": services,
        "roles": roles,
        "users": _users(draw, references, roles),
        "addresses": _addresses(draw, references),
        "phones": [
            {"address": f"+1555010{n}"}
            | _some(draw, name=NAMES, reads=st.booleans())
            | _dated(draw)
            for n in range(draw(st.integers(0, 2)))
        ],
        "conversations": conversations,
    }


def _account(draw: Draw) -> dict[str, Any]:
    return _some(
        draw,
        friendly_name=NAMES,
        default_inactive_timer=st.sampled_from(["PT1M", "PT1H30M"]),
        default_closed_timer=st.sampled_from(["PT10M", "P30D"]),
        webhooks=st.fixed_dictionaries(
            {}, optional={"post_url": URLS, "pre_url": URLS, "filters": FILTERS}
        ),
        emulation=st.fixed_dictionaries(
            {},
            optional={
                "latency_ms": st.integers(0, 5),
                "webhook_retries": st.sampled_from(["durable", "hosted"]),
            },
        ),
    )


def _roles(draw: Draw, services: list[str | None]) -> list[dict[str, Any]]:
    roles = []
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(sorted(PERMISSION_LISTS)))
        service = draw(st.sampled_from(services))
        made = {"key": f"r{number}", "type": kind, "permissions": draw(PERMISSION_LISTS[kind])}
        if draw(st.booleans()):
            made |= {"friendly_name": draw(NAMES), **_dated(draw)}
        else:
            names = {"service": "service user", "conversation": "channel admin"}
            made |= {"friendly_name": names[kind], "built_in": True}
        roles.append(made | ({} if service is None else {"service": service}))
    return roles


def _role_of(
    draw: Draw, roles: list[dict[str, Any]], service: str | None, kind: str
) -> dict[str, Any]:
    built_in = {"service": "service admin", "conversation": "channel user"}[kind]
    fitting = [
        each["key"] for each in roles if each["type"] == kind and each.get("service") == service
    ]
    return _some(draw, role=st.sampled_from([built_in, *fitting]))


def _users(
    draw: Draw, services: list[str | None], roles: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    chosen = draw(
        st.lists(st.tuples(st.sampled_from(services), IDENTITIES), max_size=3, unique=True)
    )
    return [
        {"identity": identity, **({} if service is None else {"service": service})}
        | _some(draw, friendly_name=NAMES, attributes=ATTRIBUTES)
        | _role_of(draw, roles, service, "service")
        | _dated(draw)
        for service, identity in chosen
    ]


def _addresses(draw: Draw, services: list[str | None]) -> list[dict[str, Any]]:
    chosen = draw(
        st.lists(
            st.sampled_from(["+15550999", "whatsapp:+15550999", "shop@example.org"]),
            max_size=2,
            unique=True,
        )
    )
    keys = [each for each in services if each is not None]
    named = {"conversation_service": st.sampled_from(keys)} if keys else {}
    return [
        {"address": address}
        | _some(
            draw,
            friendly_name=NAMES,
            auto_creation=st.fixed_dictionaries(
                {"enabled": st.booleans(), "type": st.just("webhook"), "webhook_url": URLS},
                optional={"webhook_filters": FILTERS} | named,
            ),
        )
        | _dated(draw)
        for address in chosen
    ]


def _conversation(
    draw: Draw,
    number: int,
    service: str | None,
    roles: list[dict[str, Any]],
    pairs: list[tuple[str, str]],
) -> dict[str, Any]:
    made = _some(
        draw,
        friendly_name=NAMES,
        unique_name=st.just(f"unique {number}"),
        attributes=ATTRIBUTES,
        state=st.sampled_from(["active", "inactive", "closed"]),
        created_by=IDENTITIES,
        timers=st.fixed_dictionaries(
            {},
            optional={
                "inactive": st.sampled_from(["PT0S", "PT10M"]),
                "closed": st.sampled_from(["P1D", "PT0S"]),
            },
        ),
    )
    timers = made.get("timers", {})
    # In the future: a timer that is due changes the state.
    if timers.get("inactive") == "PT10M" and draw(st.booleans()):
        timers["date_inactive"] = "2099-01-01"
    if timers.get("closed") == "P1D" and draw(st.booleans()):
        timers["date_closed"] = "2099-01-02T03:04:05Z"
    made |= _dated(draw)
    if service is not None:
        made["service"] = service
    participants = _participants(
        draw, service, roles, pairs, is_closed=made.get("state") == "closed"
    )
    messages = _messages(draw, participants)
    webhooks = [
        {"url": draw(URLS), "filters": draw(FILTERS), **_dated(draw)}
        for _ in range(draw(st.integers(0, 2)))
    ]
    return made | {"participants": participants, "messages": messages, "webhooks": webhooks}


def _participants(
    draw: Draw,
    service: str | None,
    roles: list[dict[str, Any]],
    pairs: list[tuple[str, str]],
    *,
    is_closed: bool,
) -> list[dict[str, Any]]:
    participants: list[dict[str, Any]] = []
    for identity in draw(st.lists(IDENTITIES, max_size=2, unique=True)):
        made = {"identity": identity} | _some(
            draw,
            attributes=ATTRIBUTES,
            last_read_message_index=st.integers(0, 3),
            notification_level=st.sampled_from(["default", "muted"]),
        )
        participants.append(made | _role_of(draw, roles, service, "conversation") | _dated(draw))
    if pairs and draw(st.booleans()):
        # Of an open conversation the pair is taken; a closed one does not hold it.
        address, proxy = pairs[0] if is_closed else pairs.pop()
        participants.append({"address": address, "proxy_address": proxy, **_dated(draw)})
    if draw(st.booleans()):
        made = {"address": "carol@example.org"}
        participants.append(made | _some(draw, level=st.just("cc"), name=NAMES) | _dated(draw))
    return participants


def _messages(draw: Draw, participants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    authors = [each.get("identity") or each["address"] for each in participants] + ["gone"]
    addressed = [each["address"] for each in participants if "address" in each]
    identities = {each.get("identity") for each in participants}
    receivers = [each for each in addressed if each not in identities]
    messages: list[dict[str, Any]] = []
    index = -1
    for _ in range(draw(st.integers(0, 3))):
        made = _some(
            draw,
            author=st.sampled_from(authors),
            body=TEXTS,
            subject=TEXTS,
            attributes=ATTRIBUTES,
            source=st.sampled_from(["API", "SDK", "SMS"]),
            last_updated_by=NAMES,
        )
        index += 1
        if draw(st.booleans()):
            index += draw(st.integers(0, 2))
            made["index"] = index
        if receivers and draw(st.booleans()):
            status = draw(st.sampled_from(["sent", "delivered", "read", "failed", "undelivered"]))
            made["receipts"] = [{"participant": receivers[0], "status": status, **_dated(draw)}]
        messages.append(made | _dated(draw))
    return messages
