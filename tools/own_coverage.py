"""Check that the own test file of a module covers all of its lines and branches, run alone.

``python -m tools.own_coverage`` checks all modules, ``python -m tools.own_coverage lanes sink`` the
ones whose path contains a text. Coverage by the tests of other modules does not count: it proves
that a line runs, and rarely that its result is asserted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = "src/parlour"

_DELIVERY: Final = (
    "cpu_throttle",
    "due_poller",
    "endpoint_cache",
    "endpoints",
    "give_up",
    "intake",
    "intake_transaction",
    "lanes",
    "pre_action_log",
    "sender",
    "states",
    "targets",
    "term",
    "webhook_metrics",
    "webhook_request",
    "webhook_samples",
    "webhook_settings",
    "webhook_sink",
    "wiring",
    "write_queue",
)
_EGRESS: Final = ("connection", "request_slots", "resolver")
OWN_TESTS: Final[dict[str, tuple[str, ...]]] = {
    **{f"delivery/{name}.py": (f"tests/unit/delivery/test_{name}.py",) for name in _DELIVERY},
    "delivery/attempts.py": (
        "tests/unit/delivery/test_attempts.py",
        "tests/unit/delivery/test_signing_evictions.py",
    ),
    "delivery/result_writer.py": (
        "tests/unit/delivery/test_result_writer.py",
        "tests/unit/delivery/test_result_writer_work.py",
    ),
    "delivery/pre_action.py": (
        "tests/unit/delivery/test_pre_action.py",
        "tests/unit/delivery/test_pre_action_requests.py",
    ),
    **{f"egress/{name}.py": (f"tests/unit/egress/test_{name}.py",) for name in _EGRESS},
    "egress/client.py": (
        "tests/unit/egress/test_client.py",
        "tests/unit/egress/test_idle_connections.py",
    ),
    "egress/wiring.py": ("tests/security/test_egress_settings.py",),
    "resources/webhook_forms.py": ("tests/unit/resources/test_webhook_forms.py",),
    "http/edge.py": (
        "tests/unit/http/test_edge.py",
        "tests/unit/http/test_edge_documents.py",
        "tests/unit/http/test_edge_feeds.py",
    ),
    "operations/pipeline.py": (
        "tests/unit/operations/test_pipeline.py",
        "tests/unit/operations/test_pipeline_on_server.py",
        "tests/unit/operations/test_audit.py",
    ),
    "realtime/subscriptions.py": ("tests/unit/realtime/test_subscriptions.py",),
    "store/leases.py": ("tests/unit/store/test_leases.py",),
    "store/webhook_queue.py": (
        "tests/unit/store/test_webhook_queue.py",
        "tests/unit/store/test_webhook_queue_of_urls.py",
    ),
    "store/sqlite/checkpoints.py": ("tests/unit/store/test_checkpoints.py",),
    "store/sqlite/engine.py": (
        "tests/store/test_sqlite_engine.py",
        "tests/store/test_sqlite_work.py",
        "tests/store/test_exclusive_access.py",
    ),
    "store/sqlite/transaction.py": ("tests/unit/store/test_sqlite_transaction.py",),
}
"""The test file of each module; a second one where it would be too long.

A module of ``delivery`` or ``egress`` needs an entry.
"""

# Coverage must not depend on the order of the tests, and an engine of the environment would leave
# tests out.
_PYTEST: Final = ("pytest", "-n", "0", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
_ENGINE_VARIABLE: Final = "PARLOUR_TEST_ENGINE"


def check(module: str, tests: tuple[str, ...], root: Path = ROOT) -> str:
    """Run the tests of a module; return what they do not cover or their failure, else no text."""
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder, "data"), Path(folder, "report.json")
        environment = {**os.environ, "COVERAGE_FILE": str(data)}
        environment.pop(_ENGINE_VARIABLE, None)
        measured = ("run", "--branch", f"--include={root / module}", "-m", *_PYTEST, *tests)
        ran = _coverage(measured, root, environment)
        if ran.returncode:
            return f"the tests fail:\n{ran.stdout[-2000:]}{ran.stderr[-1000:]}"
        reported = _coverage(("json", "-q", "-o", str(report)), root, environment)
        if reported.returncode:
            return f"no line of it runs: {reported.stdout}{reported.stderr}".strip()
        (found,) = json.loads(report.read_text("utf-8"))["files"].values()
    return missing(found)


def _coverage(
    arguments: tuple[str, ...], root: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(  # noqa: S603 - the interpreter, and files of the table.
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def missing(found: dict[str, Any]) -> str:
    """Return the missing lines and branches in coverage's report of one file."""
    lines = [str(line) for line in found["missing_lines"]]
    # A branch from a missing line is missing with it; a negative end is the exit.
    branches = [
        f"{start} to {'exit' if end < 0 else end}"
        for start, end in found["missing_branches"]
        if start not in found["missing_lines"]
    ]
    named = [("lines", lines), ("branches", branches)]
    return "; ".join(f"{kind} {', '.join(each)}" for kind, each in named if each)


def main(chosen: list[str]) -> int:
    """Check the modules whose path contains one of the texts; return the exit status."""
    started = time.perf_counter()
    checked = {
        module: tests
        for module, tests in OWN_TESTS.items()
        if not chosen or any(text in module for text in chosen)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        paths = [f"{PACKAGE}/{module}" for module in checked]
        gaps = dict(zip(checked, pool.map(check, paths, checked.values()), strict=True))
    incomplete = {module: gap for module, gap in gaps.items() if gap}
    for module, gap in incomplete.items():
        sys.stdout.write(f"{module}, by {' and '.join(checked[module])}: not covered: {gap}\n")
    seconds = time.perf_counter() - started
    count = len(checked) - len(incomplete)
    sys.stdout.write(f"{count} of {len(checked)} modules covered, in {seconds:.0f} s\n")
    return 1 if incomplete or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
