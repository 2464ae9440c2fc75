import asyncio
import os
import subprocess
import sys

import jwt
import pytest
from urllib3.util import Retry

import parlour_testkit
from parlour_testkit.twilio_client import redirected

SEEN = set()


def test_an_account_is_fresh(parlour_account, parlour_client):
    assert parlour_account.sid not in SEEN
    SEEN.add(parlour_account.sid)
    assert parlour_client.conversations.v1.conversations.list() == []
    parlour_client.conversations.v1.conversations.create(unique_name="one")


def test_another_account_is_fresh_too(parlour_account, parlour_client):
    test_an_account_is_fresh(parlour_account, parlour_client)


def test_an_account_is_removed_after_the_test(parlour_server):
    account = parlour_server.create_account(friendly_name="Temporary")
    account.settle()
    account.delete()
    with pytest.raises(parlour_testkit.ApiError) as refused:
        account.settle()
    assert refused.value.status == 401


def test_the_first_account_is_not_deleted(parlour_server):
    first = parlour_server.first_account
    assert first.sid == "AC" + "0" * 32
    with pytest.raises(parlour_testkit.TestKitError, match="was not created by"):
        first.delete()


def test_a_reset_removes_the_data_and_preserves_the_login(parlour_account, parlour_client):
    conversations = parlour_client.conversations.v1.conversations
    conversations.create()
    parlour_account.reset()
    assert conversations.list() == []


def test_the_client_reads_all_pages_from_the_server(parlour_client):
    conversations = parlour_client.conversations.v1.conversations
    for number in range(5):
        conversations.create(friendly_name=str(number))
    assert len(conversations.list(page_size=2)) == 5


def test_the_client_for_asyncio_is_redirected_too(parlour_account, parlour_client):
    async def scenario():
        client = parlour_account.async_client()
        async with client.http_client:
            return await client.conversations.v1.conversations.create_async()

    made = asyncio.run(scenario())
    assert [each.sid for each in parlour_client.conversations.v1.conversations.list()] == [made.sid]


def test_the_client_never_reaches_the_hosted_service(parlour_account):
    url = parlour_account.url
    for host in ("conversations.twilio.com", "conversations.dublin.ie1.twilio.com"):
        assert redirected(f"https://{host}/v1/Users?PageSize=1", url) == (
            f"{url}/v1/Users?PageSize=1"
        )
    for other in (f"{url}/v1/Users", "https://example.com/x", "https://nottwilio.com/"):
        assert redirected(other, url) == other


def test_a_token_is_of_the_identity_and_service(parlour_account, parlour_token):
    token = parlour_token("alice", ttl=60)
    claims = jwt.decode(token, parlour_account.api_key_secret, algorithms=["HS256"])
    assert claims["grants"]["identity"] == "alice"
    assert claims["grants"]["chat"]["service_sid"] == parlour_account.service_sid
    assert claims["iss"] == parlour_account.api_key_sid
    assert claims["exp"] - claims["iat"] == 60


def test_programs_find_the_account_in_the_environment(parlour_env, parlour_account):
    code = "import os; print(os.environ['TWILIO_ACCOUNT_SID'], os.environ['PARLOUR_URL'])"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.split() == [parlour_account.sid, parlour_account.url]
    assert os.environ["TWILIO_AUTH_TOKEN"] == parlour_env["TWILIO_AUTH_TOKEN"]
    assert os.environ["TWILIO_API_KEY"] == parlour_account.api_key_sid


def test_secrets_are_not_shown(parlour_account):
    shown = repr(parlour_account) + repr(parlour_account.connection)
    assert parlour_account.auth_token not in shown


def test_options_of_the_official_client_apply(parlour_account, parlour_faults):
    retries = Retry(3, status_forcelist=[429], allowed_methods=None)
    parlour_faults.add(operation="CreateUser", status=429, retry_after=0, times=2)
    users = parlour_account.client(max_retries=retries).conversations.v1.users
    assert users.create(identity="ann").identity == "ann"
    parlour_faults.assert_all_fired()
