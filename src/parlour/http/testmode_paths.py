"""The paths of test functions, and the response where they are off.

The operations themselves are in ``parlour.testmode``, which a server without ``--test`` does not
import; the names are repeated here, and a test compares both.
"""

from __future__ import annotations

from typing import Final

TEST_FUNCTIONS_OFF: Final = "Test functions are off: start the server with --test."
TEST_NAMES: Final = frozenset(
    {
        "Accounts",
        "Clock",
        "Emulation",
        "Faults",
        "Reset",
        "Seeds",
        "Settle",
        "Snapshots",
        "Triggers",
    }
)
"""The first segment of their paths, after the version."""
_ROOT: Final = "/parlour/v1/"


def is_test_path(path: str) -> bool:
    """Return whether a path that the server does not serve is of a test function."""
    return path.startswith(_ROOT) and path[len(_ROOT) :].partition("/")[0] in TEST_NAMES
