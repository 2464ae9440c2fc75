"""Wrong seeds: the error has the path of the fault, and nothing is written."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from parlour.testmode.seeds.declaration import ROOT
from parlour.testmode.seeds.keys import Section, SeedKey, ValueKind
from parlour.vocabulary.errors import ApiError
from tests.testmode.seeds.documents import full, without_steering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.testmode.seeds.seed_server import SeedServer

pytestmark = pytest.mark.embedded
FEW, MANY = 60, 500


def places(value: Any, section: Section, path: str = "") -> Iterator[tuple[str, Any, SeedKey]]:
    """Yield each key of a document: its path, its object, and its declaration."""
    for name, inner in value.items():
        key = section.by_name[name]
        here = f"{path}.{name}" if path else name
        yield here, value, key
        if key.section is None:
            continue
        if isinstance(inner, list):
            for index, each in enumerate(inner):
                yield from places(each, key.section, f"{here}[{index}]")
        elif key.kind is ValueKind.OBJECT:
            yield from places(inner, key.section, here)


def mutated(document: dict[str, Any], choose: random.Random) -> tuple[dict[str, Any], str]:
    """Return the document with one fault, and the path that its error begins with."""
    wrong = deepcopy(document)
    path, owner, key = choose.choice(list(places(wrong, ROOT)))
    name = key.name
    above = path.rpartition(".")[0]
    kinds = ["type", "unknown", "doubled"] + ["missing"] * key.is_required * 2
    kind = choose.choice(kinds)
    if kind == "unknown":
        owner[f"{name}z"] = owner[name]
        return wrong, f"{above}: unknown key" if above else "unknown key"
    if kind == "missing":
        owner[name] = None
        return wrong, f"{path}: is required"
    is_list = isinstance(owner[name], list) and key.kind is not ValueKind.JSON
    if kind == "doubled" and is_list and owner[name]:
        owner[name].append("text" if isinstance(owner[name][0], dict) else {})
        return wrong, f"{path}[{len(owner[name]) - 1}]: must be"
    if key.kind is ValueKind.JSON:
        owner[name] = "{"
        return wrong, f"{path}: 50304 "
    owner[name] = choose.choice([-1, 1.5, [[]], ["\0"], "\0", "\ud800"])
    if key.kind in {
        ValueKind.INTEGER,
        ValueKind.BOOLEAN,
        ValueKind.OBJECT,
        ValueKind.LIST,
        ValueKind.RECEIPTS,
    }:
        owner[name] = choose.choice(["text", 1.5])
    return wrong, path


def check_faults(server: SeedServer, count: int, seed: int) -> None:
    """Load documents with one fault each; none may leave anything."""
    account = server.new_account()
    before = server.counts(account)
    document = without_steering(full())
    choose = random.Random(seed)
    for _ in range(count):
        wrong, path = mutated(document, choose)
        with pytest.raises(ApiError) as caught:
            server.load(wrong, account)
        assert caught.value.status == 400
        assert caught.value.message.startswith(path), (path, caught.value.message)
    assert server.counts(account) == before
    server.load(document, account)


def test_documents_with_one_fault_are_refused_with_its_path(seeds: SeedServer) -> None:
    check_faults(seeds, FEW, seed=1)


@pytest.mark.gate
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_documents_with_one_fault_are_refused_with_its_path(
    seeds: SeedServer, seed: int
) -> None:
    check_faults(seeds, MANY, seed)


PAIR = {"address": "+15550100", "proxy_address": "+15550999"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": [{"identity": "a"}, {"identity": "a"}]}, "users[1].identity: 50201 "),
        ({"users": [{"identity": "a", "role": "channel user"}]}, "users[0].role: 50102 "),
        (
            {"conversations": [{"unique_name": "a"}, {"unique_name": "a"}]},
            "conversations[1].unique_name: 50353 ",
        ),
        (
            {"conversations": [{"participants": [PAIR | {"proxy_address": PAIR["address"]}]}]},
            "conversations[0].participants[0].proxy_address: 50409 ",
        ),
        (
            {"conversations": [{"participants": [PAIR]}, {"participants": [PAIR]}]},
            "conversations[1].participants[0].proxy_address: 50416 ",
        ),
        (
            {"conversations": [{"participants": [{"identity": "a"}, {"identity": "a"}]}]},
            "conversations[0].participants[1].identity: 50433 ",
        ),
        (
            {"conversations": [{"state": "closed", "participants": [{"identity": "a"}] * 2}]},
            "conversations[0].participants[1].identity: 50433 ",
        ),
        (
            {"conversations": [{"participants": [{"identity": "a", "role": "service user"}]}]},
            "conversations[0].participants[0].role: 50109 ",
        ),
        (
            {"conversations": [{"participants": [{}]}]},
            "conversations[0].participants[0].identity: 50204 ",
        ),
        (
            {"conversations": [{"messages": [{"index": 3}, {"index": 3}]}]},
            "conversations[0].messages[1].index: must be at least 4",
        ),
        (
            {"conversations": [{"messages": [{}], "next_message_index": 0}]},
            "conversations[0].next_message_index: must be at least 1",
        ),
        (
            {
                "conversations": [
                    {
                        "participants": [{"identity": "a"}],
                        "messages": [{"receipts": {"sent": ["a"]}}],
                    }
                ]
            },
            "conversations[0].messages[0].receipts.sent[0].participant: a participant without",
        ),
        (
            {
                "conversations": [
                    {
                        "participants": [PAIR],
                        "messages": [{"receipts": {"sent": "all", "read": ["+15550100"]}}],
                    }
                ]
            },
            "conversations[0].messages[0].receipts.read[0].participant: the participant has two",
        ),
        (
            {"conversations": [{"timers": {"date_closed": "2099-01-01"}}]},
            "conversations[0].timers.date_closed: the conversation has no such timer",
        ),
        (
            {"conversations": [{"webhooks": [{"url": "https://a.example"}]}]},
            "conversations[0].webhooks[0].filters: 50370 ",
        ),
        (
            {"addresses": [{"address": "+15550999"}, {"address": "+15550999"}]},
            "addresses[1].address: 20409 ",
        ),
        (
            {"phones": [{"address": "+15550100"}, {"address": "+15550100"}]},
            "phones[1].address: 20409 ",
        ),
        (
            {"roles": [{"type": "service", "friendly_name": "a", "permissions": ["sendMessage"]}]},
            "roles[0]",
        ),
        (
            {
                "roles": [
                    {
                        "type": "service",
                        "friendly_name": "boss",
                        "permissions": ["joinConversation"],
                        "built_in": True,
                    }
                ]
            },
            "roles[0].friendly_name: no built-in role of this type is 'boss'",
        ),
        ({"users": [{"identity": "a", "service": "IS" + "0" * 32}]}, "users[0].service: 50050 "),
    ],
)
def test_what_the_api_refuses_is_an_error_with_the_path_of_the_key(
    seeds: SeedServer, change: dict[str, Any], message: str
) -> None:
    account = seeds.new_account()
    before = seeds.counts(account)

    with pytest.raises(ApiError) as caught:
        seeds.load({"parlour": 1, "users": [{"identity": "first"}]} | change, account)

    assert caught.value.status == 400
    assert caught.value.message.startswith(message), caught.value.message
    assert seeds.counts(account) == before


@pytest.mark.parametrize(
    "path",
    ["services[0]", "roles[0]", "users[0]", "addresses[0]", "conversations[0]"]
    + [
        f"conversations[0].{name}"
        for name in ("participants[0]", "messages[0]", "messages[0].receipts[0]", "webhooks[0]")
    ],
)
def test_a_sid_that_the_account_has_already_is_an_error(seeds: SeedServer, path: str) -> None:
    account = seeds.new_account()
    seeds.load(_small(1), account)
    document = _small(2)
    taken = _at(document, path)["sid"]
    for each, owner, key in list(places(document, ROOT)):
        if key.kind is ValueKind.SID and each != f"{path}.sid":
            owner.pop("sid")
    before = seeds.counts(account)

    with pytest.raises(ApiError) as caught:
        seeds.load(document, account)

    assert caught.value.message == f"{path}.sid: {taken} exists already"
    assert seeds.counts(account) == before


def _at(document: dict[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.replace("]", "").replace("[", ".").split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found


def _small(number: int) -> dict[str, Any]:
    """Return a seed with one object of each kind, with the same SIDs for each number."""
    digits = "0" * 32
    address, proxy = f"+1555010{number}", f"+1555099{number}"
    return {
        "parlour": 1,
        "services": [{"sid": f"IS{digits}", "friendly_name": "Service"}],
        "roles": [
            {
                "sid": f"RL{digits}",
                "type": "service",
                "friendly_name": "role",
                "permissions": ["joinConversation"],
            }
        ],
        "users": [{"sid": f"US{digits}", "identity": f"user {number}"}],
        "addresses": [{"sid": f"IG{digits}", "address": proxy}],
        "conversations": [
            {
                "sid": f"CH{digits}",
                "participants": [
                    {"sid": f"MB{digits}", "address": address, "proxy_address": proxy}
                ],
                "messages": [
                    {
                        "sid": f"IM{digits}",
                        "receipts": [
                            {"sid": f"DY{digits}", "participant": address, "status": "sent"}
                        ],
                    }
                ],
                "webhooks": [
                    {
                        "sid": f"WH{digits}",
                        "url": "https://app.example",
                        "filters": ["onMessageAdded"],
                    }
                ],
            }
        ],
    }
