"""Runs the server with a standard error that rejects writes, as on a full disk."""

from __future__ import annotations

import os

from parlour.cli.main import main

if __name__ == "__main__":
    os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
    main()
