"""Two twin accounts, and a second service in each: nothing is read, changed, counted or confirmed.

The cells are made from the table of operations (`tests/security/tenants/matrix.py`).
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from parlour.operations.operation import UrlForm
from tests.security.tenants import owner_actions, rejected_logins
from tests.security.tenants.gated_target import GatedTarget
from tests.security.tenants.intruder_and_victim import (
    IntruderAndVictim,
    changed,
    rows_of_service,
    run,
    victim_changes,
)
from tests.security.tenants.targets import ServerTarget, rows_of, settle
from tests.security.tenants.twin_accounts import build
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.xdist_group("tenants"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def pair() -> Iterator[IntruderAndVictim]:
    """The twins, on a separate server."""
    with Server(env={"PARLOUR_REQUEST_LOG": "none"}) as server:
        target = ServerTarget(server)
        yield IntruderAndVictim(target)
        target.close()


@pytest.fixture(autouse=True)
def _victim_is_as_it_was(pair: IntruderAndVictim) -> Iterator[None]:
    """After every test of this file: not one row of the victim has changed."""
    pair.note()
    yield
    assert_none(victim_changes(pair))


def assert_none(wrong: list[str]) -> None:
    """Nothing was found; else the first few of it are shown."""
    assert not wrong, f"{len(wrong)} cells:\n" + "\n".join(each[:1000] for each in wrong[:10])


def test_a_new_twin_changes_no_response(pair: IntruderAndVictim) -> None:
    assert owner_actions.dump(pair.target, pair.bystander) == pair.shown_before


def test_invalid_credentials_are_rejected_alike_everywhere(pair: IntruderAndVictim) -> None:
    classes = rejected_logins.refused(pair)
    pair.note()  # The revoked key was made, and taken away again.
    wrong = []
    shown: dict[int, set[tuple[object, bytes]]] = {}
    # A login stays known to be wrong for a moment, so the requests of each follow one another: in
    # turns over the logins each request would be delayed.
    requests = rejected_logins.requests_of(pair.victim)
    for each, (operation, request) in product(classes, requests):
        answer = pair.target.send(request._replace(authorization=each.authorization))
        code = json.loads(answer.body).get("code")
        if (answer.status, code) != (each.status, each.code):
            wrong.append(f"{operation.operation_id}, {each.name}: {answer}")
        shown.setdefault(each.status, set()).add((answer.headers, answer.body))

    assert_none(wrong)
    assert {status: len(answers) for status, answers in shown.items()} == {401: 1, 403: 1}


@pytest.mark.parametrize("kind", ["auth token", "API key"])
def test_the_twins_login_finds_nothing_where_the_victims_sids_are_named(
    pair: IntruderAndVictim, kind: str
) -> None:
    login = pair.intruder.login if kind == "auth token" else pair.intruder.key
    assert login is not None

    assert_none(run(pair.target, rejected_logins.as_the_twin(pair, login)))


def test_a_foreign_sid_is_answered_like_an_unassigned_one(pair: IntruderAndVictim) -> None:
    shown = owner_actions.dump(pair.target, pair.victim)

    assert_none(run(pair.target, pair.matrix.positions()))

    settle(pair.target)
    assert owner_actions.dump(pair.target, pair.victim) == shown


def test_a_foreign_sid_in_a_parameter_is_like_an_unassigned_one(pair: IntruderAndVictim) -> None:
    assert_none(run(pair.target, pair.matrix.parameters()))


def test_a_page_token_is_valid_in_its_own_list_only(pair: IntruderAndVictim) -> None:
    assert_none(run(pair.target, rejected_logins.page_tokens(pair)))


def test_the_gate_of_the_console_separates_accounts_alike(pair: IntruderAndVictim) -> None:
    assert isinstance(pair.target, ServerTarget)
    gate = GatedTarget(pair.target.server)
    try:
        assert_none(run(gate, pair.matrix.positions()))
        assert_none(run(gate, pair.matrix.parameters()))
        # With the account of the twin in the path nothing is found.
        for _, anonymous in rejected_logins.requests_of(pair.victim):
            request = anonymous._replace(authorization=pair.intruder.login.header)
            gate.account_sid = pair.victim.sid
            answer = gate.send(request)
            gate.account_sid = "AC" + "9" * 32
            assert answer == gate.send(request)
            assert answer.status == 404, (request, answer)
    finally:
        gate.close()


def test_names_taken_in_another_account_are_free(pair: IntruderAndVictim) -> None:
    newcomer = build(pair.target)

    assert_none(run(pair.target, owner_actions.taking(newcomer, pair.hidden)))
    assert_none(run(pair.target, owner_actions.sending(pair.neighbour, pair.hidden)))


def test_an_owner_can_do_everything_without_effect_on_others(pair: IntruderAndVictim) -> None:
    owner = build(pair.target)
    of_other = {UrlForm.SHORT: owner.second.sid, UrlForm.SERVICE: owner.default.sid}
    for form in (UrlForm.SHORT, UrlForm.SERVICE, UrlForm.ACCOUNT):
        before = rows_of(pair.target, owner.sid)
        assert_none(run(pair.target, owner_actions.writing(owner, pair.hidden, form)))
        settle(pair.target)
        if form in of_other:
            after = rows_of_service(rows_of(pair.target, owner.sid), of_other[form])
            assert_none(changed(rows_of_service(before, of_other[form]), after))
