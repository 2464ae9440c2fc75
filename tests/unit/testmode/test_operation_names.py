"""By which names a fault finds an operation."""

from __future__ import annotations

from parlour.resources.client_table import client_operations
from parlour.resources.table import operations
from parlour.testmode.faults.operation_names import is_known, matches_any, names_of

_BY_ID = {each.operation_id: each for each in (*operations(), *client_operations().values())}


def test_the_short_name_is_that_of_all_forms_of_an_operation() -> None:
    of_sdk = _BY_ID["CreateClientMessage"]
    of_service = _BY_ID["CreateServiceConversationMessage"]
    short = _BY_ID["CreateConversationMessage"]

    for each in (of_sdk, of_service, short):
        assert matches_any(each, ("CreateConversationMessage",))
    assert not matches_any(short, ("CreateServiceConversationMessage",))
    assert matches_any(of_sdk, ("CreateClientMessage",))
    assert not matches_any(of_service, ("CreateClientMessage",))


def test_operations_with_similar_paths_are_not_the_same() -> None:
    of_account, of_service = _BY_ID["FetchConfiguration"], _BY_ID["FetchServiceConfiguration"]

    assert names_of(of_account) == {"FetchConfiguration"}
    assert names_of(of_service) == {"FetchServiceConfiguration"}


def test_a_star_at_the_end_stands_for_any_rest() -> None:
    assert matches_any(_BY_ID["DeleteUser"], ("Create*", "Delete*"))
    assert not matches_any(_BY_ID["FetchUser"], ("Create*", "Delete*"))
    assert is_known("*")
    assert not is_known("Creates*")
