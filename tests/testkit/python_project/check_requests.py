import asyncio

import pytest

import parlour_testkit


@pytest.fixture
def users(parlour_client):
    return parlour_client.conversations.v1.users


def test_calls_are_counted_by_operation_and_form(users, parlour_requests):
    users.create(identity="alice", friendly_name="Alice")
    users.create(identity="bob")
    users.list()
    found = parlour_requests.expect("CreateUser", form={"Identity": "alice"})
    assert found[0].form["FriendlyName"] == "Alice"
    assert (found[0]["status"], found[0]["method"]) == (201, "POST")
    parlour_requests.expect("CreateUser", times=2)
    parlour_requests.expect("DeleteUser", times=0)
    operations = [each["operation"] for each in parlour_requests.all()]
    assert operations == ["CreateUser", "CreateUser", "ListUser"]
    assert len(parlour_requests.all(operation="CreateUser", status=201)) == 2


def test_a_failed_expectation_shows_the_nearest_call(users, parlour_requests):
    users.create(identity="bob", friendly_name="Bob")
    users.create(identity="alcie", friendly_name="Alice")
    with pytest.raises(parlour_testkit.ExpectationFailed) as raised:
        parlour_requests.expect("CreateUser", form={"Identity": "alice", "FriendlyName": "Alice"})
    text = str(raised.value)
    assert "Expected 1 × CreateUser" in text
    assert "found 0" in text
    assert "Identity: expected 'alice', was 'alcie'" in text
    assert "FriendlyName:" not in text


def test_a_failed_expectation_lists_too_many_calls(users, parlour_requests):
    for name in ("ann", "bob"):
        users.create(identity=name)
    with pytest.raises(AssertionError, match="found 2") as raised:
        parlour_requests.expect("CreateUser")
    assert "Identity='bob'" in str(raised.value)


def test_a_failed_expectation_names_similar_operations(users, parlour_requests):
    with pytest.raises(AssertionError, match="received no call of this account"):
        parlour_requests.expect("CreateUser")
    users.create(identity="ann")
    with pytest.raises(AssertionError, match=r"Did you mean CreateUser\? Called: 1 × CreateUser"):
        parlour_requests.expect("DeleteUser")


def test_an_unknown_operation_is_refused_and_not_counted_as_never_called(parlour_requests):
    with pytest.raises(parlour_testkit.ApiError, match="no operation CreateUsers; did you mean"):
        parlour_requests.expect("CreateUsers", times=0)
    with pytest.raises(parlour_testkit.ApiError, match="no operation CreateUsers; did you mean"):
        parlour_requests.wait_for("CreateUsers", timeout=30)


def test_a_call_is_waited_for(users, parlour_requests):
    users.create(identity="ann")
    users.create(identity="bob")
    assert parlour_requests.wait_for("CreateUser", timeout=30).form["Identity"] == "ann"
    waited = parlour_requests.wait_for_async("CreateUser", form={"Identity": "bob"}, timeout=30)
    assert asyncio.run(waited)["status"] == 201
    with pytest.raises(parlour_testkit.WaitTimedOut, match="No CreateUser within"):
        parlour_requests.wait_for("CreateUser", form={"Identity": "cem"}, timeout=0.1)
