"""The overload page has every bound, with the value and the meaning in the code."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from parlour.cli.docs_pages import BOUNDS_HEAD, fill_bounds
from parlour.vocabulary import limits
from parlour.vocabulary.limits import units

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs/explanation/overload.md").read_text()
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
AREAS: Final = (
    "edge",
    "fairness",
    "grouping",
    "logins",
    "overload",
    "realtime",
    "sockets",
    "webhooks",
)
NOT_ON_THE_PAGE: Final = {
    "how memory goes back to the system, which no client reaches": {
        "RETURNED_BLOCK_BYTES",
        "TRIM_BYTES_MIN",
        "TRIM_CALM_CHECKS",
    },
    "how the limit of requests in work is measured": {
        "REFUSAL_DECIDED_MS",
        "REFUSAL_STEP_MS",
        "WORK_CALM_PART",
        "WORK_CALM_REQUESTS_MAX",
        "WORK_GROWTH_PERCENT_MAX",
        "WORK_SHRINKING_PERCENT_MIN",
        "WORK_WINDOW_MS",
        "WORK_WINDOW_REQUESTS_MIN",
    },
    "what access tokens and requests of the protocol may contain": {
        "ACCESS_TOKEN_DATE_SECONDS_MAX",
        "ACCESS_TOKEN_LEEWAY_SECONDS",
        "ACCESS_TOKEN_SECONDS_DEFAULT",
        "ACCESS_TOKEN_SECONDS_MAX",
        "ENDPOINT_ID_CHARS_MAX",
        "INDEX_DIGITS_MAX",
        "ITEMS_PER_PAGE",
    },
    "when a socket does something by itself": {
        "FEED_IDLE_MS",
        "NODE_MS",
        "PING_SECONDS",
        "RECONNECT_AFTER_LOAD_MS_MAX",
        "RECONNECT_AFTER_LOAD_MS_MIN",
        "RECONNECT_AFTER_STOP_MS_MAX",
        "RECONNECT_AFTER_STOP_MS_MIN",
        "TOKEN_WARNING_SECONDS",
        "TYPING_SECONDS",
        "WARM_UP_MS",
    },
    "what webhooks and their URLs may contain": {
        "DELIVERIES_PER_EVENT_MAX",
        "HOST_NAME_CHARS_MAX",
        "OVERRIDE_CONNECT_MS_MAX",
        "OVERRIDE_RETRIES_MAX",
        "OVERRIDE_TOTAL_MS_MAX",
        "PORT_MAX",
        "REPLAYED_ATTEMPTS_MAX",
        "REPLAYED_MESSAGES_MAX",
        "RETRY_AFTER_MS_MAX",
    },
    "when webhooks are sent, and how long connections to receivers and the log are kept": {
        "RESPONSE_BYTES_LOGGED_MAX",
        "CONNECTION_AGE_MS_MAX",
        "IDLE_CONNECTION_MS_MAX",
        "LATE_ATTEMPTS_MIN",
        "RETENTION_SLACK_MS",
        "RETRY_JITTER_PERCENT",
        "WEBHOOK_METRICS_MS",
        "WEBHOOK_POLL_MS_MAX",
        "WEBHOOK_RETENTION_HOURS_MAX",
    },
    "caches of what was computed, which cost a computation at their bound": {
        "FILTER_LISTS_CACHED_MAX",
        "PREPARED_URLS_MAX",
        "SIGNING_CACHED_MAX",
        "SIGNING_CACHED_MS_MAX",
    },
    "steps of background work, which goes on with the next one": {
        "ENDPOINTS_DROPPED_PER_STEP_MAX",
        "ENDPOINTS_FULL_MS",
        "ENDPOINTS_PER_STEP_MAX",
        "ENDPOINTS_STEP_PAUSE_MS",
        "EXPIRED_ATTEMPTS_MAX",
        "POLLS_OUTDATED_MAX",
        "PRE_ACTIONS_PER_WRITE_MAX",
        "PURGE_POSTPONED_MS",
        "PURGE_ROWS_MAX",
        "SINK_PAUSE_MS",
    },
    "a setting of the interpreter": {"GARBAGE_OBJECTS"},
}
EXCEPTIONS: Final = set[str]().union(*NOT_ON_THE_PAGE.values())


def limits_of(area: str) -> set[str]:
    names = vars(getattr(limits, area))
    return {name for name in names if name.isupper() and name not in vars(units)}


def test_defaults_and_meanings_equal_those_of_the_code() -> None:
    assert fill_bounds(PAGE) == PAGE, "run `make docs`"


@pytest.mark.parametrize("area", AREAS)
def test_each_bound_is_on_the_page(area: str) -> None:
    missing = limits_of(area) - EXCEPTIONS - {row[0].strip("`") for row in ROWS}
    assert not missing, "add a row that says what happens at it, and run `make docs`"


def test_exceptions_exist_and_are_not_on_the_page() -> None:
    assert set[str]().union(*map(limits_of, AREAS)) >= EXCEPTIONS
    assert not EXCEPTIONS & {row[0].strip("`") for row in ROWS}
    assert sum(map(len, NOT_ON_THE_PAGE.values())) == len(EXCEPTIONS)


def test_each_row_is_unique_and_describes_its_effect() -> None:
    for row in ROWS:
        assert len(row) == len(BOUNDS_HEAD), row
        assert all(cell and "|" not in cell for cell in row), row
    names = [row[0] for row in ROWS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("READ_BYTES_MAX", "64 KiB"),
        ("CHUNK_LINE_BYTES_MAX", "256 B"),
        ("TRANSFER_BYTES_PER_SECOND_CONTESTED", "256 KiB/s"),
        ("SOCKET_MESSAGES_PER_SECOND", "2,000/s"),
        ("LOGIN_DELAY_MS", "500 ms"),
        ("LOGIN_FAILURES_MS", "60 s"),
        ("HEAD_SECONDS_MAX", "10 s"),
        ("REFUSALS_PER_MS", "1/ms"),
        ("DELIVERY_SHARE_PERCENT", "10 %"),
        ("HEADERS_MAX", "100"),
        ("--buffer-bytes-max", "64 MiB"),
        ("--connections-max", "10,000"),
    ],
)
def test_default_has_the_unit_of_its_name(name: str, default: str) -> None:
    row = fill_bounds(f"{head()}\n| `{name}` | | | x |\n").splitlines()[-1]
    assert row.startswith(f"| `{name}` | {default} | ")


def head() -> str:
    return "| " + " | ".join(BOUNDS_HEAD) + " |"


def test_tables_with_another_head_are_unchanged() -> None:
    page = f"| limit | x |\n|---|---|\n| `HEADERS_MAX` | 1 |\n\n{head()}\n\n| `HEADERS_MAX` | 1 |\n"
    assert fill_bounds(page) == page


def test_an_unknown_bound_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill_bounds(f"{head()}\n| `NO_SUCH_BOUND` | | | x |\n")
