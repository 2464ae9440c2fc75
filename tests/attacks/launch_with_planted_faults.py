"""Run the server with planted faults that the harness must report; see test_harness.py."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.http.router import Router

if TYPE_CHECKING:
    from parlour.http.messages import Request, Response

public_response = Router.public_response
leaked: list[bytes] = []
refused_until = [0.0]


def hurt_others(self: Router, request: Request) -> Response | None:
    """Return the response, after running the fault that the path names."""
    if request.path == "/fault/memory":
        leaked.append(b"\1" * (128 << 20))
    if request.path == "/fault/stall":
        time.sleep(0.3)
    if request.path == "/fault/refuse":
        refused_until[0] = time.monotonic() + 0.1
    if request.path == "/healthz" and time.monotonic() < refused_until[0]:
        message = "refused"
        raise RuntimeError(message)
    return public_response(self, request)


Router.public_response = hurt_others  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
