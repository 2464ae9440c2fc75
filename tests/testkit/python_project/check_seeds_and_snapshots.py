from pathlib import Path

import pytest

import parlour_testkit

HERE = Path(__file__).parent


@pytest.mark.parlour(seed="shop.yaml")
def test_the_mark_loads_a_seed(parlour_client):
    found = parlour_client.conversations.v1.conversations("order-4711").participants.list()
    assert [each.identity for each in found] == ["alice"]


def test_a_seed_has_variables_and_returns_its_sids(parlour_account, parlour_client):
    sids = parlour_account.seed(HERE / "shop.json", NAME="Alice")
    fetched = parlour_client.conversations.v1.conversations("order-4711").fetch()
    assert sids["conversations.order"] == fetched.sid
    assert parlour_client.conversations.v1.users("alice").fetch().friendly_name == "Alice"
    assert len(sids) == len(list(sids)) >= 3
    with pytest.raises(KeyError, match=r"conversations\.order"):
        sids["conversations.ordr"]


def test_a_variable_without_a_value_is_an_error(parlour_account):
    with pytest.raises(parlour_testkit.TestKitError, match=r"\$\{NAME\} has no value"):
        parlour_account.seed(HERE / "shop.json")
    with pytest.raises(parlour_testkit.TestKitError, match="a seed is a"):
        parlour_account.seed(__file__)


def test_a_seed_may_be_a_dict(parlour_account, parlour_client, monkeypatch):
    monkeypatch.setenv("USER_NAME", "Bob")
    users = [{"identity": "bob", "friendly_name": "${USER_NAME}"}]
    parlour_account.seed({"parlour": 1, "users": users})
    assert parlour_client.conversations.v1.users("bob").fetch().friendly_name == "Bob"


def test_a_wrong_seed_is_refused_with_its_path(parlour_account, parlour_client):
    seed = {"parlour": 1, "users": [{"identity": "bob"}, {"identty": "ann"}]}
    with pytest.raises(parlour_testkit.ApiError, match=r"users\[1\]"):
        parlour_account.seed(seed)
    assert parlour_client.conversations.v1.users.list() == []


def test_snapshots_return_to_a_state(parlour_server, parlour_account, parlour_client):
    conversations = parlour_client.conversations.v1.conversations
    conversations.create(unique_name="before")
    parlour_server.snapshot(parlour_account.sid)
    conversations("before").delete()
    parlour_server.restore(parlour_account.sid)
    assert [each.unique_name for each in conversations.list()] == ["before"]


def test_a_snapshot_of_an_account_restores_this_account_alone(
    parlour_server, parlour_account, parlour_client
):
    other = parlour_server.create_account()
    parlour_account.snapshot("before")
    for each in (parlour_account, other):
        each.client().conversations.v1.users.create(identity="ann")
    parlour_account.restore("before")
    assert parlour_client.conversations.v1.users.list() == []
    assert [each.identity for each in other.client().conversations.v1.users.list()] == ["ann"]
    other.delete()
    with pytest.raises(parlour_testkit.ApiError, match="404"):
        parlour_account.restore("befor")
