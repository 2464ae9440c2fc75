"""The cost of the hooks for faults: a server without armed faults against an earlier commit.

``python -m bench.testkit_faults --against REVISION`` measures both in one interleaved run, and with
``--armed`` also this commit in test mode with a fault that matches no request.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench import earlier_version, goals, interleaving, servers
from bench.api_client import KeepAliveApi
from bench.interleaving import BenchTarget, MeasurementPlan, Sample
from bench.processes import cores_apart, data_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.interleaving import InterleavedSamples

CONNECTIONS: Final = 32
PLAN: Final = MeasurementPlan(rounds=15, seconds=0.4, connections=(CONNECTIONS,), warm_seconds=0.5)
NAMES: Final = tuple(earlier_version.RATES_MIN)
ARMED: Final = "armed"
AGAINST_HELP: Final = "an earlier commit, to compare a server without faults with"


def measure(
    folder: Path, earlier: str, *, measures_armed: bool, report: Callable[[str], None]
) -> InterleavedSamples:
    """Measure four operations on this commit and on an earlier one, in interleaved rounds."""
    credentials = servers.make_credentials()
    server_cores, load_cores = cores_apart()
    with ExitStack() as stack:
        processes = [
            servers.parlour(folder, credentials),
            earlier_version.server(folder, credentials, earlier),
        ]
        names: list[Callable[[str], str]] = [str, earlier_version.earlier]
        if measures_armed:
            armed = servers.parlour(folder, credentials, "parlour-test")
            armed.environment["PARLOUR_TEST"] = "1"
            processes.append(armed)
            names.append(lambda name: f"{ARMED}: {name}")
        found: list[list[BenchTarget]] = []
        for process, name_of in zip(processes, names, strict=True):
            stack.enter_context(process)
            process.start(server_cores)
            with KeepAliveApi(process.port, credentials) as api:
                operations = earlier_version.operations(api, credentials)
                if process is processes[-1] and measures_armed:
                    _arm(api)
            found.append([BenchTarget(name_of(each.name), process, each) for each in operations])
        targets = [target for together in zip(*found, strict=True) for target in together]
        return interleaving.measure(
            targets, PLAN, folder=folder, load_cores=load_cores, report=report
        )


def _arm(api: KeepAliveApi) -> None:
    """Arm a fault that matches no request of the measurement."""
    api.post("/parlour/v1/Faults", Target="request", Operation="DeleteRole", Status="500")


def ratios(measured: InterleavedSamples, value: Callable[[Sample], float]) -> dict[str, float]:
    """Return a value of this commit divided by the earlier commit's value, for each operation."""
    return {
        name: measured.ratio((name, earlier_version.earlier(name)), CONNECTIONS, value)
        for name in NAMES
    }


def goals_of(measured: InterleavedSamples) -> list[goals.Goal]:
    """Return the goal of a server without armed faults: the mean over the operations."""
    rates = ratios(measured, lambda sample: sample.rate)
    # The processor's time is the steadier measure on a machine with other load.
    times = ratios(measured, lambda sample: sample.cpu_us)
    return [
        goals.at_least(
            "requests per second without faults / earlier commit",
            statistics.geometric_mean(rates.values()),
            goals.UNARMED_TO_EARLIER_MIN,
        ),
        goals.at_least(
            "requests per processor second without faults / the same",
            1 / statistics.geometric_mean(times.values()),
            goals.UNARMED_TO_EARLIER_MIN,
        ),
    ]


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(against: str, *, measures_armed: bool) -> int:
    """Measure, and print each ratio and whether the goals are met; 1 for wrong responses."""
    with data_folder() as folder:
        measured = measure(folder, against, measures_armed=measures_armed, report=_print_progress)
    for name in NAMES:
        pair = (name, earlier_version.earlier(name))
        rate = measured.ratio(pair, CONNECTIONS)
        time = measured.ratio(pair, CONNECTIONS, lambda sample: sample.cpu_us)
        print(f"{name:<20} rate {rate:.3f}  processor time {time:.3f}")
        if measures_armed:
            armed = measured.ratio((f"{ARMED}: {name}", name), CONNECTIONS)
            print(f"{'':<20} with an armed fault {armed:.3f} of that rate")
    found = goals_of(measured)
    for each in found:
        print(each.line())
    wrong = measured.errors()
    if wrong:
        print(f"wrong responses: {wrong}")
    return 1 if wrong else 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", required=True, help=AGAINST_HELP)
    parser.add_argument("--armed", action="store_true", help="also with an armed fault")
    options = parser.parse_args()
    return run(options.against, measures_armed=options.armed)


if __name__ == "__main__":
    sys.exit(main())
