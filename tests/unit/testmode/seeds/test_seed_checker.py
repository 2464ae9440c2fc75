"""The checks of a seed without a store: the error has the path of the fault."""

from __future__ import annotations

from typing import Any

import pytest

from parlour.testmode.seeds import checker as seed_checker
from parlour.testmode.seeds.checker import check_document
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

SID = "CH" + "0" * 32


def error_of(document: Any) -> ApiError:
    """Return the error of a wrong document."""
    with pytest.raises(ApiError) as caught:
        check_document(document)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"convesations": []}, "unknown key 'convesations'; did you mean 'conversations'?"),
        ({"parlour": 2}, "parlour: the format is 1"),
        ({"parlour": None}, "parlour: is required"),
        ({"users": {}}, "users: must be a list"),
        ({"users": ["alice"]}, "users[0]: must be an object"),
        ({"users": [{"identity": 7}]}, "users[0].identity: must be a text"),
        ({"users": [{"identity": "system"}]}, "users[0].identity: 50203 "),
        ({"users": [{"identity": "a\0"}]}, "users[0].identity: a text cannot contain NUL"),
        ({"users": [{"identity": "\ud800"}]}, "users[0].identity: a text cannot contain half"),
        ({"users": [{"identity": "a", "role": "boss"}]}, "users[0].role: no role has the key"),
        ({"users": [{"identity": "a", "service": "x"}]}, "users[0].service: no service has"),
        ({"users": [{"identity": "a", "attributes": "{"}]}, "users[0].attributes: 50304 "),
        ({"users": [{"identity": "a", "date_created": "-P1Y"}]}, "users[0].date_created: not a d"),
        ({"users": [{"identity": "a", "date_created": "now"}]}, "users[0].date_created: is not v"),
        ({"account": []}, "account: must be an object"),
        ({"account": {"webhooks": {"method": "PUT"}}}, "account.webhooks.method: 50055 "),
        (
            {"account": {"webhooks": {"filters": ["onMessageAdded", "onMessage"]}}},
            "account.webhooks.filters[1]: 50054 ",
        ),
        ({"services": [{"key": "a b"}]}, "services[0].key: a key is letters"),
        ({"services": [{"key": "a"}, {"key": "a"}]}, "services[1].key: 'a' is not unique"),
        (
            {"services": [{"default": True}, {"default": True}]},
            "services[1].default: only one service can be the default one",
        ),
        ({"conversations": [{"sid": "CH1"}]}, "conversations[0].sid: a SID is CH and 32"),
        ({"conversations": [{"sid": SID}, {"sid": SID}]}, f"conversations[1].sid: {SID} occurs"),
        ({"conversations": [{"state": "open"}]}, "conversations[0].state: must be one of active"),
        (
            {"conversations": [{"date_created": "2026-13-01"}]},
            "conversations[0].date_created: 50308 ",
        ),
        (
            {"conversations": [{"timers": {"inactive": "PT1S"}}]},
            "conversations[0].timers.inactive: 50375 ",
        ),
        (
            {"conversations": [{"participants": [{"proxy_address": "nobody"}]}]},
            "conversations[0].participants[0].proxy_address: 50408 ",
        ),
        (
            {"conversations": [{"messages": [{"receipts": {"delivered": ["bob"]}}]}]},
            "conversations[0].messages[0].receipts.delivered[0].participant: no participant is",
        ),
        (
            {"conversations": [{"messages": [{"receipts": {"deliverd": "all"}}]}]},
            "conversations[0].messages[0].receipts: unknown key 'deliverd'; did you mean 'deliv",
        ),
        (
            {"conversations": [{"participants": [{"messaging_binding": {}}]}]},
            "conversations[0].participants[0]: unknown key 'messaging_binding'; known are key, sid",
        ),
        (
            {"conversations": [{"messages": [{"receipts": 7}]}]},
            "conversations[0].messages[0].receipts: must be a list, or an object",
        ),
        (
            {"conversations": [{"messages": [{"index": -1}]}]},
            "conversations[0].messages[0].index: must be at least 0",
        ),
        ({"random_seed": True}, "random_seed: must be an integer"),
        ({"fires": 1}, "fires: must be true or false"),
        ({"phones": [{"address": "x"}]}, "phones[0].address: 50407 "),
    ],
)
def test_a_wrong_value_is_an_error_with_its_path(change: dict[str, Any], message: str) -> None:
    assert error_of({"parlour": 1} | change).message.startswith(message)


def test_the_error_of_a_validator_has_its_code() -> None:
    error = error_of({"parlour": 1, "users": [{"identity": "system"}]})

    assert error.code == 50203


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_a_document_that_is_no_object_is_an_error(document: Any) -> None:
    assert error_of(document).code == 20001


def test_a_seed_with_too_many_objects_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEED_OBJECTS_MAX", 3)
    seed_checker.check_document({"parlour": 1, "conversations": [{"messages": [{}, {}]}]})

    error = error_of({"parlour": 1, "conversations": [{"messages": [{}, {}, {}]}]})

    assert error.message == "conversations[0].messages: a seed has at most 3 objects"


def test_values_that_are_null_count_as_absent() -> None:
    seed = check_document(
        {"parlour": 1, "clock": None, "users": None, "account": {"webhooks": None}}
    )

    assert seed.values == {"parlour": 1}
