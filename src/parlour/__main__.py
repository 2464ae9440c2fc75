"""``python -m parlour`` is ``parlour`` on the command line."""

from __future__ import annotations

from parlour.cli.main import main

if __name__ == "__main__":
    main()
