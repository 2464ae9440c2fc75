"""Which operation with a dedicated endpoint a path and a method select."""

from __future__ import annotations

import pytest

from parlour.http.endpoint_routes import EndpointRoutes
from parlour.operations.operation import AuthScheme
from parlour.resources.table import operations, pipeline_operations

ROUTES = EndpointRoutes(operations())
SERVICE = "/v1/Services/IS00000000000000000000000000000000"
MEDIUM = f"{SERVICE}/Media/ME00000000000000000000000000000000"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"{SERVICE}/Media", {"POST": "CreateMedia"}),
        (f"{SERVICE}/MediaSet", {"POST": "FetchMediaSet"}),
        (MEDIUM, {"GET": "FetchMedia", "HEAD": "FetchMedia"}),
        (f"{MEDIUM}/Content", {"GET": "FetchMediaContent", "HEAD": "FetchMediaContent"}),
        ("/media-direct/AC/IS/ME", {"GET": "FetchMediaDirect", "HEAD": "FetchMediaDirect"}),
        (
            "/parlour/v1/Carriers/a",
            {
                "GET": "FetchCarrierCallback",
                "HEAD": "FetchCarrierCallback",
                "POST": "CreateCarrierCallback",
            },
        ),
        (
            "/parlour/v1/Carriers/a/b/c",
            {
                "GET": "FetchCarrierCallbackPath",
                "HEAD": "FetchCarrierCallbackPath",
                "POST": "CreateCarrierCallbackPath",
            },
        ),
        ("/media-direct/", {"GET": "FetchMediaDirect", "HEAD": "FetchMediaDirect"}),
    ],
)
def test_a_path_with_an_endpoint_is_found_with_its_operations(
    path: str, found: dict[str, str]
) -> None:
    match = ROUTES.find(path, "GET")

    assert match is not None
    assert {name: each.operation_id for name, each in match.route.operations.items()} == found


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/media-direct",
        "//media-direct/x",
        "/v1/Services",
        f"{SERVICE}/Medias",
        f"{SERVICE}/MediaSet/",
        f"{MEDIUM}/",
        f"{MEDIUM}/Content/x",
        f"{SERVICE}/Users/Media",
        "/v1/Services//Media",
        "/v1/Media",
        "/v1/Carriers/a",
        "/parlour/v1/Carriers",
        "/parlour/v1/Carriers/",
        "/parlour/v1/Carriers//b",
    ],
)
def test_any_other_path_is_left_to_the_router(path: str) -> None:
    assert ROUTES.find(path, "GET") is None


def test_a_path_that_the_router_shares_is_found_by_method() -> None:
    path = "/parlour/v1/VirtualPhones/+15558675310/Messages"
    match = ROUTES.find(path, "POST")

    assert match is not None
    assert match.names == {"Address": "+15558675310"}
    assert {name: each.operation_id for name, each in match.route.operations.items()} == {
        "POST": "CreateVirtualPhoneMessage"
    }
    for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        assert ROUTES.find(path, method) is None


def test_variables_are_returned_as_they_were_sent() -> None:
    match = ROUTES.find("/v1/Services/%49S/Media/a%2Fb/Content", "GET")

    assert match is not None
    assert match.names == {"ChatServiceSid": "%49S", "Sid": "a%2Fb"}


def test_the_variable_of_a_signed_url_takes_the_rest_of_the_path() -> None:
    match = ROUTES.find("/media-direct/a/b//c", "GET")

    assert match is not None
    assert match.names == {"Signed": "a/b//c"}


@pytest.mark.parametrize("rest", ["", "b", "b/c%20//d"])
def test_the_path_of_a_callback_is_everything_after_the_name(rest: str) -> None:
    match = ROUTES.find(f"/parlour/v1/Carriers/sim/{rest}", "GET")

    assert match is not None
    assert match.names == {"Name": "sim", "Path": rest}


def test_the_router_serves_exactly_the_operations_with_an_account_login() -> None:
    own = {each.operation_id for each in operations() if each.has_endpoint}

    assert len(own) == 11
    assert set(operations()) - set(pipeline_operations()) == {
        each for each in operations() if each.operation_id in own
    }
    assert all(each.authentication is AuthScheme.ACCOUNT_LOGIN for each in pipeline_operations())
