"""``make bench-console``: the budgets of the console, in Chromium and on the server.

Three programs of ``tests/browser/node`` drive the pages of a server in test mode and print what the
browser measured. Then REST is loaded in alternation without consoles and with five, which are
clients without a browser (console_clients.py): a browser would take the cores of the server.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from bench import console_rates, goals, machine, report, servers
from bench.console_rates import RatePlan
from bench.processes import cores_apart, data_folder
from tests.browser.pages import ENV, run_program
from tests.support.server import Server
from tools import console_vendor

if TYPE_CHECKING:
    from bench.goals import Goal

PROGRAM_SECONDS_MAX: Final = 900
"""Of one program of the browser."""
BUDGETS: Final = {
    "painted, ms, median of 5": goals.CONSOLE_PAINTED_MS_MAX,
    "list of 1,000 usable, ms, median of 5": goals.CONSOLE_OPENED_MS_MAX,
    "list usable at 50 ms and 1.6 Mbit/s, ms": goals.CONSOLE_SLOW_LINK_MS_MAX,
    "event to page at up to 50/s, ms, p50": goals.CONSOLE_EVENT_MS_P50_MAX,
    "event to page at up to 50/s, ms, p99": goals.CONSOLE_EVENT_MS_P99_MAX,
    "list of 1,000 conversations opened, ms": goals.CONSOLE_OPENED_MS_MAX,
    "conversation of 10,000 messages opened, ms": goals.CONSOLE_OPENED_MS_MAX,
    "conversation scrolled: longest frame, ms": goals.CONSOLE_FRAME_MS_MAX,
    "list scrolled: longest frame, ms": goals.CONSOLE_FRAME_MS_MAX,
    "conversation: main thread busy, %": goals.CONSOLE_BUSY_PERCENT_MAX,
    "events: main thread busy, %": goals.CONSOLE_BUSY_PERCENT_MAX,
    "conversation: growth of the heap, MB": goals.CONSOLE_HEAP_MEGABYTES_MAX,
    "events: growth of the heap, MB": goals.CONSOLE_HEAP_MEGABYTES_MAX,
}
"""The measurements of the browser that have a bound, by the names that the programs print."""
QUICK: Final = {
    "speed": {"CONVERSATIONS": "100", "EVENTS": "20"},
    "large": {"CONVERSATIONS": "100", "MESSAGES": "500", "SCROLLED": "200"},
    "endurance": {"SECONDS": "10", "RATE": "20"},
}
FULL: Final[dict[str, dict[str, str]]] = {"speed": {}, "large": {}, "endurance": {}}
QUICK_RATES, FULL_RATES = RatePlan(1, 0.5), RatePlan(4, 4.0)


def browser_measurements(folder: Path, programs: dict[str, dict[str, str]]) -> dict[str, float]:
    """Return what the programs measured, by name. Raises AssertionError if a check failed."""
    console_vendor.install()
    found: dict[str, float] = {}
    for name, settings in programs.items():
        with Server(folder / name, ENV, args=("--test",)) as server:
            run = run_program(server, name, seconds_max=PROGRAM_SECONDS_MAX, **settings)
        assert run.failed(name) == []
        found.update({each["name"]: each["value"] for each in run.of("measure")})
    return found


def checked(measured: dict[str, float], ratios: dict[str, float]) -> list[Goal]:
    """Return the goals of all measurements."""
    return [
        *(goals.at_most(name, measured[name], bound) for name, bound in BUDGETS.items()),
        *(
            goals.at_least(f"{name}: rate with 5 consoles", ratio, goals.WITH_CONSOLES_MIN)
            for name, ratio in ratios.items()
        ),
    ]


def run(programs: dict[str, dict[str, str]], plan: RatePlan, json_path: Path | None) -> int:
    """Measure, print and write; return how many goals were missed."""
    server_cores, load_cores = cores_apart()
    with data_folder() as folder:
        measured = browser_measurements(folder, programs)
        rates = console_rates.measure(
            folder,
            servers.make_credentials(),
            plan,
            server_cores=server_cores,
            load_cores=load_cores,
        )
        described = machine.describe(folder)
    lines = [f"{name:<48} {value:>9,.1f}" for name, value in measured.items()]
    lines += [each.line() for each in rates]
    found = checked(measured, {each.name: each.ratio for each in rates})
    print(report.text(described, [], lines, found))
    if json_path:
        shown = report.record_of_lines(described, lines, found)
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    return sum(not goal.is_met for goal in found)


def main() -> int:
    """Run the command line of ``make bench-console``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs with few rows")
    parser.add_argument("--seconds", help="duration of the traffic to two pages")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    programs = QUICK if options.quick else FULL
    if options.seconds:
        programs = {**programs, "endurance": {"SECONDS": options.seconds}}
    missed = run(programs, QUICK_RATES if options.quick else FULL_RATES, options.json)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
