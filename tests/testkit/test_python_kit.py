"""The Python kit from outside: an installed wheel, in separate test runs.

The checks are in ``python_project/``, and the tests whose failures are examined here in
``python_failures/``: folders that pytest collects in these runs only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.testkit.installed_kit import project_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Server
    from tests.testkit.installed_kit import InstalledKit, TestRun

pytestmark = [pytest.mark.xdist_group("python-kit"), pytest.mark.slow, pytest.mark.embedded]

WORKERS, TESTS_PER_WORKER = 16, 200
GATE_SECONDS_MAX = 1500


@pytest.fixture(scope="module")
def failures(
    kit: InstalledKit, kit_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> TestRun:
    """A run with failures, attached to a server."""
    project = project_of("python_failures", tmp_path_factory.mktemp("failures"))
    return kit.run_tests(project, PARLOUR_URL=kit_server.base_url)


def test_the_checks_pass_with_a_server_of_their_own(kit: InstalledKit, tmp_path: Path) -> None:
    run = kit.run_tests(project_of("python_project", tmp_path))

    assert run.status == 0, run.output
    assert set(run.outcomes.values()) == {"passed"}


# --- Failures that explain ------------------------------------------------------------------------


def test_a_wrong_signature_fails_the_test(failures: TestRun) -> None:
    assert failures.outcomes["test_wrong_signature"] == "failure"
    assert "1 webhooks have a wrong signature" in failures.messages["test_wrong_signature"]
    assert "X-Twilio-Signature AAAA" in failures.messages["test_wrong_signature"]


def test_a_failure_has_a_section_with_what_the_server_knows(failures: TestRun) -> None:
    assert failures.outcomes["test_report"] == "failure"
    assert failures.outcomes["test_without_the_kit"] == "failure"
    _, _, rest = failures.output.partition("_ test_report _")
    section = rest.partition("- parlour -")[2].partition("____")[0]

    for text in (
        "(system)",
        "CreateConversation POST /v1/Conversations {FriendlyName='Shown'} → 201",
        "onConversationAdded POST http://127.0.0.1:",
        "→ 200, delivered",
        "operation='DeleteConversation', status=500: never fired",
    ):
        assert text in section, section
    assert "could not be read" not in section
    # Four tests failed in their body and three in their set-up, with a server.
    assert failures.output.count("- parlour -") == 7


def test_wrong_marks_are_refused(failures: TestRun) -> None:
    assert failures.outcomes["test_unknown_mark"] == "error"
    assert "pytest.mark.parlour has no sede" in failures.messages["test_unknown_mark"]
    assert failures.outcomes["test_unknown_retries"] == "error"
    assert "it is 'hosted' or 'durable'" in failures.messages["test_unknown_retries"]
    assert failures.outcomes["test_missing_seed"] == "error"
    assert "missing.yaml" in failures.messages["test_missing_seed"]


def test_a_clock_that_lasting_data_hold_is_explained(failures: TestRun) -> None:
    assert failures.outcomes["test_clock_is_held"] == "error"
    assert "an account that outlives the test has" in failures.messages["test_clock_is_held"]


def test_a_server_that_does_not_start_fails_each_test_in_few_lines(
    kit: InstalledKit, tmp_path: Path
) -> None:
    run = kit.run_tests(
        project_of("python_failures", tmp_path),
        *("-k", "test_passes or test_strict"),
        ini={"parlour_command": "no-such-command"},
    )

    assert run.outcomes == {"test_passes": "error", "test_strict": "error"}
    assert "'no-such-command' cannot be started" in run.messages["test_passes"]
    assert "During handling" not in run.output
    assert len(run.output.splitlines()) < 25


def test_a_failed_expectation_shows_the_line_of_the_test_alone(failures: TestRun) -> None:
    assert failures.outcomes["test_expectation"] == "failure"
    assert "Expected 1 × CreateUser, found 0." in failures.messages["test_expectation"]
    assert "journal.py" not in failures.output


def test_options_of_the_ini_file_and_a_run_without_twilio(
    kit: InstalledKit, kit_server: Server, tmp_path: Path, failures: TestRun
) -> None:
    options = {
        "parlour_report": "always",
        "parlour_strict": "true",
        "parlour_url": kit_server.base_url,
    }

    run = kit.run_tests(
        project_of("python_failures", tmp_path),
        *("-rP", "-k", "test_needs_twilio or test_passes or test_strict"),
        ini=options,
        WITHOUT_TWILIO="1",
    )

    assert run.outcomes == {
        "test_needs_twilio": "skipped",
        "test_passes": "passed",
        "test_strict": "passed",
    }
    assert "needs the package twilio" in run.messages["test_needs_twilio"]
    assert run.output.count(f"server: {kit_server.base_url} ") == 2
    assert failures.outcomes["test_strict"] == "failure"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-o", "parlour_report=sometimes"), "parlour_report is one of failures, always and never"),
        (("--parlour-keep", "-n", "2"), "--parlour-keep reads from the terminal: use it with -n 0"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    kit: InstalledKit, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    run = kit.run_tests(project_of("python_failures", tmp_path), *arguments)

    assert run.status == pytest.ExitCode.USAGE_ERROR
    assert text in run.output


def test_keep_waits_for_enter_before_the_data_is_removed_and_reports_are_never_there(
    kit: InstalledKit, kit_server: Server, tmp_path: Path
) -> None:
    run = kit.run_tests(
        project_of("python_failures", tmp_path),
        *("--parlour-keep", "-k", "test_report"),
        typed="\n",
        ini={"parlour_report": "never"},
        PARLOUR_URL=kit_server.base_url,
    )

    assert f"test_report failed. The server stays up: {kit_server.base_url}" in run.output
    assert "Press Enter" in run.output
    assert "the standard input is closed" not in run.output
    assert "- parlour -" not in run.output


# --- Parallel runs --------------------------------------------------------------------------------


def test_workers_share_a_server_but_not_its_clock(
    kit: InstalledKit, kit_server: Server, tmp_path: Path
) -> None:
    project = project_of("python_parallel", tmp_path)

    run = kit.run_tests(project, "-n", "2", PARLOUR_URL=kit_server.base_url, CHECKS="10")

    assert run.outcomes.pop("test_of_the_clock") == "error"
    assert set(run.outcomes.values()) == {"passed"}, run.output
    assert "with 2 xdist workers they would disturb" in run.messages["test_of_the_clock"]


@pytest.mark.gate
def test_a_shared_clock_is_an_option(kit: InstalledKit, kit_server: Server, tmp_path: Path) -> None:
    run = kit.run_tests(
        project_of("python_parallel", tmp_path),
        *("-n", "2", "-k", "test_of_the_clock"),
        ini={"parlour_clock_shared": "true"},
        PARLOUR_URL=kit_server.base_url,
    )

    assert run.outcomes == {"test_of_the_clock": "passed"}


@pytest.mark.gate
@pytest.mark.timeout(GATE_SECONDS_MAX)
@pytest.mark.parametrize("attached", [True, False], ids=["one server", "a server each"])
def test_sixteen_workers_do_not_disturb_each_other(
    kit: InstalledKit, kit_server: Server, tmp_path: Path, *, attached: bool
) -> None:
    variables = {"PARLOUR_URL": kit_server.base_url} if attached else {}
    count = WORKERS * TESTS_PER_WORKER

    run = kit.run_tests(
        project_of("python_parallel", tmp_path),
        *("-n", str(WORKERS), "-k", "test_of_its_own"),
        seconds_max=GATE_SECONDS_MAX,
        CHECKS=str(count),
        **variables,
    )

    assert set(run.outcomes.values()) == {"passed"}, run.output
    assert len(run.outcomes) == count
