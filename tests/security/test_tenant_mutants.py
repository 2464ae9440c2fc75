"""Remove one condition on a tenant from a statement: some test must fail.

Two ways. First in the stores: each statement is run again for an account without rows, and on a
copy of the database in which a twin has identical sids. Then in the whole matrix of
`test_tenants.py`, run in this process with one condition removed.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from parlour.operations.operation import UrlForm
from tests.security.tenants import owner_actions, uncovered_statements
from tests.security.tenants.intruder_and_victim import IntruderAndVictim, run
from tests.security.tenants.matrix_run import MatrixRun
from tests.security.tenants.statement_interceptor import Probe
from tests.security.tenants.statement_mutants import (
    Mutant,
    is_held_by_sid,
    is_inner,
    mutants,
    mutants_of,
    statements,
)
from tests.security.tenants.targets import LocalTarget, settle
from tests.security.tenants.twin_accounts import build

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - a new folder is created there.

# Conditions that change no result, each with its reason; one that does may not be listed here.
WITHOUT_EFFECT = {
    r"operations\.access\.SHARED_CONVERSATION_ROLES\[": (
        "gives each set of permissions once, and those of a twin are the same"
    ),
    r"operations\.access\.(SERVICE_ROLE\[[13]|MEMBERSHIP\[1):": (
        "who is of a service has a role of that service, so one of the two is enough"
    ),
    r"resources\.messages\.receipt_store\.LOCK_CONVERSATION\[[123]:": (
        "the conversation of the account that a receipt names by its sid"
    ),
    r"resources\.participants\.store\.FETCH_GROUPS_BY_NUMBERS\[[0123]:": (
        "member, participants and service are each looked up under the account: one is enough"
    ),
    r"resources\.scoped_webhooks\.store\.DETACHED\[[02]:": (
        "conversation and webhook are found by the sids in a delivery of the account"
    ),
    r"resources\.inbound\.store\.FIND_SERVICE_OF\[0:": (
        "the service of the conversation is looked up under the account: one is enough"
    ),
    r"operations\.purge\._HOLDERS_OF_ROLE\.\d\[0:": (
        "the default role is read from the one row that a service has, found by its sid"
    ),
    r"resources\.messages\.store\.FETCH_COUNTS\[1:": (
        "whether a conversation is there, found by the sid that a message of the account names"
    ),
    r"resources\.participant_conversations\.store\.LIST_OF_(IDENTITY|ADDRESS)\.\w+\[0:": (
        "the sid of a user, found by the sid of its service and its identity"
    ),
    r"resources\.participant_conversations\.store\.LIST_OF_ADDRESS\.\w+\[1:": (
        "a participant with an address has no identity, and so no user"
    ),
    r"resources\.console_sessions\.store\.HAS_LOGIN\[0:": (
        "the login of an account's session, found by its sid; no twin has a copy of it"
    ),
    r"resources\.webhook_attempts\.store\.LIST_OF_URL\.\w+\[1:": (
        "the delivery of an attempt of the account, by the number of its event"
    ),
    r"store\.webhook_queue\.MAKE_URL_DUE\[1:": (
        "the deliveries that it selects are looked up under the account: one is enough below the"
        " limit of lanes"
    ),
    r"resources\.conversation_summaries\.store\.LAST_MESSAGES\[0:": (
        "the last index of a conversation, found by its sid under the account"
    ),
}

# Conditions that the matrix cannot miss although no condition on a sid is next to them.
UNSEEN_OVER_REST = {
    r"resources\.participants\.store\.COUNT_OPEN_MEMBERSHIPS\[1:": (
        "counts the conversations of an identity, and matters from the thousandth on"
    ),
    r"resources\.(participants\.store\.FETCH|inbound\.store\.FIND)_RESERVATION\[": (
        "shows only while a conversation of the other account is completed with the same numbers"
    ),
    r"resources\.conversation_summaries\.store\.COUNT_PARTICIPANTS\[": (
        "the sids of conversations that were found under the account select the participants"
    ),
    r"resources\.inbox\.store\.(TABLE\.|CLAIM\[)": (
        "the identifier of the provider selects the message, and a phone's is a new sid"
    ),
    r"resources\.inbox\.store\.FIRST_OF_LANE\[": (
        "shows only while a message of the other account waits with the same two numbers"
    ),
    r"resources\.inbox\.store\.LIST_COPIES\[": "only a message to a group has copies",
    r"resources\.inbox\.given_up_store\.": (
        "no operation asks for it, only the command `parlour carriers inbound`"
    ),
    r"resources\.inbound\.store\.LIST_OPEN_OF_ADDRESS\[": "only an inbound mail asks for it",
    r"resources\.outbox\.queue\.HEADS\[": (
        "shows only while a message of the other account waits to be sent"
    ),
    r"resources\.outbox\.store\.UPDATE_PART\[": (
        "the identifier of the provider selects the part of a message to a group"
    ),
    r"resources\.outbox\.store\.(INSERT|PROMOTE)\[": (
        "they also name the sid of the conversation, or of the only message of the lane"
    ),
    (
        r"resources\.virtual_phones\.(store\.QUIETEST|message_store\.(COUNT|OLDEST_OF_ACCOUNT))\["
        r"|resources\.content_templates\.store\.COUNT\[|resources\.inbox\.store\.BACKLOG\["
    ): "matters from the largest number of phones, messages or templates on",
    r"resources\.virtual_phones\.message_store\.LAST_FROM\[": (
        "only a mailbox that replies asks for it"
    ),
    r"operations\.action_rates\.": "counts where actions per second are limited: not here",
    r"resources\.push_bindings\.store\.LIST_OF_IDENTITY\[": "only what sends pushes asks for it",
    r"store\.webhook_queue\.(MAKE_DUE|LAST_IN_LANE)\[": (
        "counts only while a webhook waits, which none of the twins' does"
    ),
    (
        r"store\.event_log\.FIND(_BY_SEQUENCES)?\[|operations\.access\."
        r"|resources\.content_templates\.store\.LIST_APPROVED\["
        r"|resources\.media\.store\.UNATTACHED\["
        r"|resources\.participants\.roster\.|resources\.users\.presence\."
    ): "no operation asks for it, only a connected user and what it uploads",
    r"resources\.console_sessions\.store\.": "no operation of an account shows a session",
    r"resources\.(accounts\.store\.UPDATE_NAME\[|operator_accounts\.store\.)": (
        "no operation of an account asks for it, only an operator"
    ),
    r"resources\.activity\.store\.": "its response is different each time (OF_THE_PROCESS)",
    r"store\.event_log\.HAS_WEBHOOK_CHANGES\[|resources\.scoped_webhooks\.store\.FETCH_ANY\[": (
        "says whether it is worth looking; what is found is read under the account"
    ),
    r"operations\.purge\._SINGLETONS\.3\[1:": (
        "a removed user leaves its conversations at once, so no such row waits in another service"
    ),
    r"resources\.accounts\.store\.TABLE\.(update|delete)\[": (
        "the name of a login is the sid of its account or key"
    ),
    r"resources\.accounts\.store\.CHECK_NUMBER\[0:": (
        "counts only where the carriers file lists numbers: not here"
    ),
    r"resources\.address_configurations\.store\.LIST_OF_SERVICE\[": (
        "the pattern in it is the sid of a service"
    ),
    r"resources\.inbox\.unacknowledged_store\.DELETE\[": "only connections of SMPP ask for it",
    r"resources\.virtual_phones\.report_store\.DELETE\[": (
        "the number of a report is that of an event, and unique in the database"
    ),
    r"store\.webhook_queue\.(?!FIND\[|REOPEN\[)|resources\.scoped_webhooks\.store\.DETACHED\[": (
        "no operation asks for it, only what delivers webhooks"
    ),
}

# The same where it depends on sids, which are random.
UNSEEN_BY_CHANCE = {
    (
        r"resources\.(\w+\.store\.TABLE\.find|push_bindings\.store\.LIST(_OF_IDENTITIES)?\.\w+)"
        r"\[1:service_sid"
    ): "which row of the account's two services comes first is chance",
    r"resources\.content_templates\.store\.TABLE\.list": (
        "shows only if the sid of another account's template follows those of the own ones"
    ),
    r"resources\.(virtual_phones\.store\.USAGE\.find|inbound\.store\.FIND_PAIR)\[": (
        "finds the own row if no other account's sid precedes it"
    ),
}


def reason(mutant: Mutant, reasons: dict[str, str]) -> str | None:
    """Why a mutant is let off, if it is."""
    return next((why for name, why in reasons.items() if re.match(name, mutant.name)), None)


def is_unseen(mutant: Mutant) -> bool:
    """Return whether the matrix may miss a condition on the account or the service."""
    return reason(mutant, UNSEEN_OVER_REST | UNSEEN_BY_CHANCE) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one: nothing here is about what survives."""
    if not MEMORY.is_dir():
        yield tmp_path_factory.mktemp("mutants")
        return
    with tempfile.TemporaryDirectory(prefix="parlour-mutants-", dir=MEMORY) as made:
        yield Path(made)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Mutants make bugs, and each would write a long log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.mark.timeout(240)
def test_every_condition_matters_in_the_stores(folder: Path) -> None:
    probe = Probe()
    with probe.attached():
        target = LocalTarget(folder / "stores")
        try:
            uncovered_statements.do_all(target, build(target))
            pair = IntruderAndVictim(target)
            run(target, owner_actions.taking(pair.intruder, pair.hidden))
            for form in (UrlForm.SHORT, UrlForm.SERVICE, UrlForm.ACCOUNT):
                run(target, owner_actions.writing(pair.intruder, pair.hidden, form))
                settle(target)
        finally:
            target.close()

    tenants = [each for each in statements() if mutants_of(each)]
    assert {each.name for each in tenants if each.text not in probe.seen} == set()
    assert probe.leaks == set()
    missed = {each for each in mutants() if each not in probe.caught and not is_inner(each)}
    let_off = {each for each in mutants() if reason(each, WITHOUT_EFFECT)}
    assert {each.name for each in missed} == {each.name for each in let_off}


@pytest.fixture(scope="module")
def matrix_run(folder: Path) -> MatrixRun:
    """The matrix without a mutant: no errors, and the statements of each cell are known."""
    made = MatrixRun(folder / "bench")
    assert made.learn() == []
    return made


@pytest.mark.xdist_group("tenant mutants")
def test_an_unchanged_statement_is_not_reported_by_any_stage(matrix_run: MatrixRun) -> None:
    unchanged = []
    for number in range(len(matrix_run.stages)):
        run_there = [each for each in mutants() if number in matrix_run.stages_of(each)]
        mutant = min(run_there, key=lambda each: len(matrix_run.stages_of(each)))
        unchanged.append(replace(mutant, text=mutant.statement.text))

    assert [error for each in unchanged for error in matrix_run.with_mutant(each)] == []


@pytest.mark.gate
@pytest.mark.xdist_group("tenant mutants")
@pytest.mark.timeout(240)
def test_removing_a_condition_without_a_sid_fails_the_matrix(matrix_run: MatrixRun) -> None:
    candidates = [each for each in mutants() if not (is_held_by_sid(each) or is_inner(each))]
    survivors = [each for each in candidates if not matrix_run.with_mutant(each)]
    unexplained = [each for each in survivors if not is_unseen(each)]

    assert [each.name for each in unexplained if not matrix_run.with_mutant_everywhere(each)] == []
    reasons = {name for each in survivors for name in UNSEEN_OVER_REST if re.match(name, each.name)}
    assert set(UNSEEN_OVER_REST) - reasons == set(), "these reasons have no survivor"
