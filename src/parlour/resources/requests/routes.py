"""The operations of the journal of requests, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.operations.waiting_lists import REQUEST_RECORDED
from parlour.resources.requests import actions as request_actions
from parlour.resources.requests import parameters as request_parameters
from parlour.resources.requests import representation as request_representation

REQUESTS = Collection(
    noun="Request",
    version="/parlour/v1",
    path="/Requests",
    url_forms=ACCOUNT_ONLY,
    represent=request_representation.resource,
    specs=(
        replace(
            on_server(
                "List",
                "GET",
                request_actions.list_requests,
                parameters=request_parameters.ListRequests,
                list_key="requests",
            ),
            wakes_on=frozenset({REQUEST_RECORDED}),
        ),
        on_server("Fetch", "GET", request_actions.fetch_request, on_instance=True),
    ),
    listed=False,
)
