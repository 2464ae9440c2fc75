"""Runs the server as ``make serve`` installs it: without packages that only tests install.

The logging library imports ``rich`` if it is installed, which takes a tenth of a start.
"""

from __future__ import annotations

import sys

ONLY_FOR_TESTS = ("rich",)

if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(ONLY_FOR_TESTS))

    from parlour.cli.main import main

    main()
