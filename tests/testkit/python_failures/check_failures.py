import urllib.error
import urllib.request

import pytest

import parlour_testkit


def test_wrong_signature(parlour_webhooks):
    form = b"EventType=onMessageAdded&Body=forged"
    headers = {"X-Twilio-Signature": "AAAA"}
    request = urllib.request.Request(parlour_webhooks.url, form, headers)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)
    assert parlour_webhooks.all == []


def test_report(parlour_client, parlour_clock, parlour_faults, parlour_webhooks):
    parlour_webhooks.configure(["onConversationAdded"])
    parlour_faults.add(operation="DeleteConversation", status=500)
    parlour_client.conversations.v1.conversations.create(
        friendly_name="Shown", x_twilio_webhook_enabled="true"
    )
    parlour_webhooks.wait_for("onConversationAdded", timeout=30)
    pytest.fail("on purpose")


def test_needs_twilio(parlour_client):
    assert parlour_client


@pytest.mark.parlour(sede="shop.yaml")
def test_unknown_mark(parlour_account):
    pytest.fail("not reached")


@pytest.mark.parlour(retries="never")
def test_unknown_retries(parlour_account):
    pytest.fail("not reached")


@pytest.mark.parlour(seed="missing.yaml")
def test_missing_seed(parlour_account):
    pytest.fail("not reached")


@pytest.fixture
def reset_afterwards(parlour_server):
    yield
    parlour_server.reset()


def test_clock_is_held(reset_afterwards, parlour_server, parlour_clock):
    lasting = parlour_server.create_account()
    lasting.connection.post("/v1/Conversations")
    parlour_clock.advance("P1D")


def test_strict(parlour_account):
    with pytest.raises(parlour_testkit.ApiError, match="Unknown parameter"):
        parlour_account.connection.post("/v1/Conversations", FriendlyNam="Shop")


def test_passes(parlour_account):
    assert parlour_account.sid


def test_without_the_kit():
    pytest.fail("on purpose")


def test_expectation(parlour_requests):
    parlour_requests.expect("CreateUser")
