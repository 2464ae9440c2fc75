"""The unmodified PyPI client drives each of the 103 operations against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.contract import account_scenarios, conversation_scenarios
from tests.contract.operations import BY_ID, OPERATIONS
from tests.contract.python_client import RequestRecorder, ScenarioUrls, client_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio.rest import Client

    from tests.support.client import Api
    from tests.support.cluster import Installation
    from tests.support.server import Server

# All of these depend on one long run of the client: one process should do it.
pytestmark = pytest.mark.xdist_group("python-client")

LONG_LIST = 260


class ScenarioRun:
    """All scenarios, run once on a separate account; each failure is raised in its test."""

    def __init__(self, server: Installation) -> None:
        """Run all scenarios."""
        self.recorder = RequestRecorder()
        self.failures: dict[str, Exception] = {}
        self.account = server.make_account()
        self.client = client_for(server, *self.account, self.recorder)
        self.places = {form: self._place(server, form) for form in ("short", "service")}
        for name, scenario, form in CASES:
            self._run(name, scenario, form)

    def _place(self, server: Installation, form: str) -> ScenarioUrls:
        v1 = self.client.conversations.v1
        if form == "short":
            service_sid = v1.configuration().fetch().default_chat_service_sid
        else:
            service_sid = v1.services.create(friendly_name="Second").sid
        return ScenarioUrls(server, self.client, self.account[0], service_sid, form)

    def _run(self, name: str, scenario: Callable[[ScenarioUrls], None], form: str) -> None:
        try:
            scenario(self.places[form])
        except Exception as failure:
            self.failures[name] = failure


CASES = [
    (f"{scenario.__name__}-{form}", scenario, form)
    for scenarios, forms in (
        (account_scenarios.SCENARIOS, ("service",)),
        (conversation_scenarios.SCENARIOS, ("short", "service")),
    )
    for scenario in scenarios
    for form in forms
]


@pytest.fixture(scope="module")
def drive(server: Server) -> ScenarioRun:
    return ScenarioRun(server)


@pytest.fixture
def client(server: Server) -> Client:
    return client_for(server, *server.make_account())


@pytest.mark.parametrize("name", [name for name, _, _ in CASES])
def test_a_program_written_for_the_client_works(drive: ScenarioRun, name: str) -> None:
    if name in drive.failures:
        raise drive.failures[name]


@pytest.mark.parametrize("operation_id", [each.operation_id for each in OPERATIONS])
def test_the_client_drives_the_operation(drive: ScenarioRun, operation_id: str) -> None:
    assert operation_id in drive.recorder.driven


def test_the_client_drives_nothing_but_the_103_operations(drive: ScenarioRun) -> None:
    assert len(BY_ID) == 103
    assert {each.path for each in drive.recorder.sent if each.operation_id is None} == set()
    assert drive.recorder.driven == set(BY_ID)


def test_the_server_has_a_route_for_each_operation_and_no_other(server: Server) -> None:
    printed = json.loads(server.command("routes", "--json", on_data=False))
    routes = {(each["operation_id"], each["method"], each["path"]) for each in printed}
    assert routes == {(each.operation_id, each.method, each.path) for each in OPERATIONS}
    assert len(printed) == len(routes)


def test_list_of_many_pages_is_complete_and_in_order(client: Client) -> None:
    users = client.conversations.v1.users
    made = [users.create(identity=f"user-{number}").sid for number in range(LONG_LIST)]
    assert [each.sid for each in users.list(limit=1000)] == made
    assert [each.sid for each in users.stream()] == made
    assert [each.sid for each in users.stream(limit=55, page_size=10)] == made[:55]


def test_error_raises_the_exception_of_the_client(client: Client, server: Server) -> None:
    with pytest.raises(TwilioRestException) as raised:
        client.conversations.v1.conversations("nope").fetch()
    assert (raised.value.status, raised.value.code) == (404, 20404)
    assert raised.value.method == "GET"
    assert raised.value.msg.endswith("The requested resource /Conversations/nope was not found")
    client.conversations.v1.users.create(identity="alice")
    with pytest.raises(TwilioRestException) as raised:
        client.conversations.v1.users.create(identity="alice")
    assert (raised.value.status, raised.value.code) == (409, 50201)
    stranger = client_for(server, client.account_sid, "wrong")
    with pytest.raises(TwilioRestException) as raised:
        stranger.conversations.v1.conversations.create()
    assert (raised.value.status, raised.value.code) == (401, 20003)


def test_api_key_works_in_place_of_the_auth_token(server: Server, client: Client) -> None:
    key_sid, secret = server.make_key(client.account_sid)
    by_key = client_for(server, key_sid, secret)
    made = by_key.conversations.v1.conversations.create(friendly_name="by key")
    assert made.account_sid == client.account_sid
    assert client.conversations.v1.conversations(made.sid).fetch().friendly_name == "by key"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("path", sorted({each.path for each in OPERATIONS}))
def test_put_and_patch_are_offered_nowhere(api: Api, method: str, path: str) -> None:
    api.request(method, path, form={"FriendlyName": "x"}).refuses(405, 20004)
