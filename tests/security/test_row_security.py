"""The second barrier: without the stores' conditions, row-level security alone must hold.

The whole matrix of the twins runs again, on PostgreSQL, with a server whose statements have no
condition on an account.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.security import launch_without_account_conditions
from tests.security.launch_without_account_conditions import without_conditions
from tests.security.tenants.intruder_and_victim import IntruderAndVictim
from tests.security.tenants.targets import ServerTarget
from tests.security.test_tenants import (  # noqa: F401 - they run here with another server.
    _victim_is_as_it_was,
    test_a_foreign_sid_in_a_parameter_is_like_an_unassigned_one,
    test_a_foreign_sid_is_answered_like_an_unassigned_one,
    test_a_new_twin_changes_no_response,
    test_a_page_token_is_valid_in_its_own_list_only,
    test_an_owner_can_do_everything_without_effect_on_others,
    test_names_taken_in_another_account_are_free,
    test_the_twins_login_finds_nothing_where_the_victims_sids_are_named,
)
from tests.support.client import Api
from tests.support.postgres_server import as_superuser, shared
from tests.support.server import Server
from tests.support.server_database import PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.xdist_group("row security"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server without the first wall."""
    env = {"PARLOUR_REQUEST_LOG": "none", "PARLOUR_DATABASE": shared().make_migrated_database()}
    program = (launch_without_account_conditions.__file__,)
    with Server(env=env, program=program) as running:
        yield running


@pytest.fixture(scope="module")
def pair(server: Server) -> Iterator[IntruderAndVictim]:
    """The twins on it."""
    target = ServerTarget(server)
    yield IntruderAndVictim(target)
    target.close()


def test_the_first_wall_is_down() -> None:
    text = without_conditions("SELECT sid FROM role WHERE account_sid = $1 AND sid = $2")
    assert text == "SELECT sid FROM role WHERE (CAST($1 AS TEXT) IS NOT NULL) AND sid = $2"


def test_no_table_of_tenants_is_outside_the_second_wall(server: Server) -> None:
    with closing(PostgresConnection(shared().url(server.database.rpartition("/")[2]))) as it:
        outside = it.execute(
            "SELECT relname FROM pg_class JOIN information_schema.columns"
            " ON columns.table_name = relname AND columns.column_name = 'account_sid'"
            " WHERE relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        assert outside.fetchall() == []


def test_a_session_that_names_no_account_sees_nothing(
    pair: IntruderAndVictim, server: Server
) -> None:
    def conversations(account: str) -> int:
        with closing(PostgresConnection(server.database)) as it:
            if account:
                it.execute(f"SET parlour.account = '{account}'")
            found: int = it.execute("SELECT COUNT(*) FROM conversation").fetchone()[0]
            return found

    assert conversations("") == 0
    assert 0 < conversations(pair.victim.sid) < conversations("*")


def test_without_either_wall_accounts_see_each_other() -> None:
    """What the tests above rely on: the first wall is down indeed, and the second one counts."""
    database = as_superuser(shared().make_migrated_database())
    program = (launch_without_account_conditions.__file__,)
    with Server(env={"PARLOUR_DATABASE": database}, program=program) as running:
        path = "/Configuration/Addresses"
        first = Api(running.base_url, running.account_sid, running.auth_token)
        form = {"Type": "sms", "Address": "+15005550006"}
        made = first.post(path, form).expect(201)
        second = Api(running.base_url, *running.make_account())
        assert [each["sid"] for each in second.get(path).expect(200)["address_configurations"]] == [
            made["sid"]
        ]
        first.close()
        second.close()
