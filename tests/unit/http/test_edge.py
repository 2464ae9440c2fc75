"""From a request to a call, and from its result to a response."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.http.client_addresses import ClientAddresses
from parlour.http.edge import Edge
from parlour.http.messages import NO_CONTENT, Request, Response
from parlour.http.root_urls import RootUrls
from parlour.operations.call import Call, OperationResult, Rows, View
from parlour.operations.caller import Caller
from parlour.operations.operation import (
    BodyKind,
    Operation,
    OperationSpec,
    UrlForm,
    fetch,
    list_,
)
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol.header_block import HeaderBlock
from parlour.protocol.pages import PageTokens
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin
from tests.support.in_process_requests import RecordedExchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.http.list_waiting import Read
    from parlour.store.transaction import Transaction

CALLER = Caller("AC" + "0" * 32, "AC" + "0" * 32)
SERVICE = "IS" + "A" * 32
FORM = b"application/x-www-form-urlencoded"
TOKENS = PageTokens(b"k" * 32)
STREAMED = b"a stream"


@dataclass(frozen=True)
class ListRecord:
    """A record of a list."""

    sequence: int
    sid: str


async def _no_action(_tx: Transaction, _call: Call[Any]) -> None:
    """Replace the action: the pipeline of these tests runs none."""


def _represent(record: Any, view: View) -> dict[str, Any]:
    if isinstance(record, ListRecord):
        return {"sid": record.sid, "padding": "x" * limits.PAGE_BYTES_MAX}
    return {"record": record, "base_url": view.base_url, "shows_service": view.shows_service}


def operation(
    spec: OperationSpec | None = None,
    *,
    path: str = "/v1/Things/{Sid}",
    form: UrlForm = UrlForm.SHORT,
    **changes: Any,
) -> Operation:
    """Return an operation that reads one object, with the given spec or changes."""
    spec = replace(spec or fetch(_no_action), **changes)
    return Operation(
        operation_id="FetchThing",
        method=spec.method,
        path=path,
        url_form=form,
        spec=spec,
        represent=_represent,
    )


@dataclass
class RecordingPipeline:
    """Records calls, and returns the same result for each."""

    result: OperationResult = field(default_factory=lambda: OperationResult(200, "found"))
    calls: list[Call[Any]] = field(default_factory=list)
    rendered: list[bytes] = field(default_factory=list)

    async def run(
        self, call: Call[Any], render: Callable[[Call[Any], OperationResult], bytes]
    ) -> OperationResult:
        self.calls.append(call)
        self.rendered.append(render(call, self.result))
        return self.result

    @property
    def call(self) -> Call[Any]:
        """The one call."""
        (call,) = self.calls
        return call


class RecordingWaiting:
    """Completes the call of a list that waits, and runs it."""

    async def run(self, _request: Request, call: Call[Any], read: Read) -> OperationResult:
        call.is_complete = True
        return await read(call)


class Streaming:
    """Responds with a constant in place of a stream."""

    async def respond(self, _request: Request, _call: Call[Any]) -> Response:
        return Response(200, STREAMED)


def respond(
    pipeline: RecordingPipeline,
    called: Operation,
    path: str = "/v1/Things/TH",
    *,
    query: bytes = b"",
    body: bytes = b"",
    names: dict[str, str] | None = None,
    recorded: list[Any] | None = None,
    **headers: bytes,
) -> Response:
    """Send one request through an edge with this pipeline; ``recorded`` gets its form."""
    fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    block = HeaderBlock(fields | {b"host": b"parlour.test"})
    request = Request(called.method, path, query, block, RecordedExchange())
    request.body = body
    roots = RootUrls("", ClientAddresses(""))
    edge = Edge(
        pipeline,  # type: ignore[arg-type]
        TOKENS,
        roots,
        RecordingWaiting(),  # type: ignore[arg-type]
        Streaming(),  # type: ignore[arg-type]
        records_forms=recorded is not None,
    )
    response = asyncio.run(edge.respond(called, names or {}, request, CALLER))
    assert request.operation_id == called.operation_id
    assert request.body == b""
    if recorded is not None:
        recorded.append(request.form)
    return response


def post(**changes: Any) -> Operation:
    """An operation that changes something."""
    return operation(method="POST", **changes)


# --- Requests ---------------------------------------------------------------------------


def test_a_get_passes_its_query_path_caller_and_resource() -> None:
    pipeline = RecordingPipeline()

    response = respond(pipeline, operation(), query=b"State=active&State=b", names={"Sid": "TH"})

    call = pipeline.call
    assert response.status == 200
    assert call.form == {"State": ["active", "b"]}
    assert (call.caller, call.path, call.resource) == (CALLER, {"Sid": "TH"}, "/Things/TH")
    assert (call.origin, call.idempotency_key, call.page) == (SILENT, None, None)


@pytest.mark.parametrize("content_type", [None, FORM, b"Application/X-WWW-Form-URLencoded ; x=y"])
def test_a_post_passes_the_fields_of_its_form(content_type: bytes | None) -> None:
    pipeline = RecordingPipeline()
    headers = {} if content_type is None else {"content_type": content_type}

    respond(pipeline, post(), query=b"ignored=1", body=b"Name=a+b&Name=c%C3%A9", **headers)

    assert pipeline.call.form == {"Name": ["a b", "cé"]}


def test_an_operation_with_a_json_body_passes_its_members() -> None:
    pipeline = RecordingPipeline()
    called = post(request_body=BodyKind.JSON)

    respond(pipeline, called, body=b'{"friendly_name": "a"}', content_type=b"application/json; x=y")

    assert pipeline.call.form == {"friendly_name": ["a"]}


def test_a_post_without_a_body_may_have_any_content_type() -> None:
    pipeline = RecordingPipeline()

    respond(pipeline, post(), content_type=b"application/json")

    assert pipeline.call.form == {}


def test_a_post_with_another_content_type_returns_415() -> None:
    pipeline = RecordingPipeline()

    with pytest.raises(ApiError) as caught:
        respond(pipeline, post(), body=b"{}", content_type=b"application/json")

    assert (caught.value.status, caught.value.code) == (415, 20001)
    assert not pipeline.calls


def test_a_post_of_multipart_passes_the_fields_of_its_parts() -> None:
    pipeline = RecordingPipeline()
    body = b'--b\r\nContent-Disposition: form-data; name="Name"\r\n\r\nvalue\r\n--b--\r\n'

    respond(pipeline, post(), body=body, content_type=b"Multipart/Form-Data; boundary=b")

    assert pipeline.call.form == {"Name": ["value"]}


def test_a_delete_passes_no_form() -> None:
    pipeline = RecordingPipeline(OperationResult(204, None))

    response = respond(pipeline, operation(method="DELETE"), query=b"Name=a", body=b"Name=b")

    assert response is NO_CONTENT
    assert pipeline.call.form == {}
    assert pipeline.rendered == [b""]


def test_a_form_with_too_many_escapes_returns_413_and_one_with_as_many_passes() -> None:
    pipeline = RecordingPipeline()
    called = post(form_escapes_max=3)

    respond(pipeline, called, body=b"Name=%41%41%41")
    respond(pipeline, called, body=b"Name=long-but-plain")
    with pytest.raises(ApiError) as caught:
        respond(pipeline, called, body=b"Name=%41%41%41%41")

    assert caught.value.code == 20413
    assert len(pipeline.calls) == 2


@pytest.mark.parametrize(
    ("value", "takes_header", "origin"),
    [
        (None, True, SILENT),
        (b"true", True, Origin(fires=True)),
        (b" TRUE ", True, Origin(fires=True)),
        (b"false", True, SILENT),
        (b"1", True, SILENT),
        (b"true", False, SILENT),
    ],
)
def test_webhooks_fire_only_for_the_header_and_an_operation_that_takes_it(
    value: bytes | None, *, takes_header: bool, origin: Origin
) -> None:
    pipeline = RecordingPipeline()
    headers = {} if value is None else {"x_twilio_webhook_enabled": value}

    respond(pipeline, post(takes_webhook_header=takes_header), **headers)

    assert pipeline.call.origin == origin


def test_the_idempotency_key_of_a_post_is_passed() -> None:
    pipeline = RecordingPipeline()
    key = b"k" * limits.IDEMPOTENCY_KEY_CHARS_MAX

    respond(pipeline, post(), idempotency_key=key)

    assert pipeline.call.idempotency_key == key.decode()


def test_the_idempotency_key_of_a_get_is_ignored() -> None:
    pipeline = RecordingPipeline()

    respond(pipeline, operation(), idempotency_key=b"")

    assert pipeline.call.idempotency_key is None


@pytest.mark.parametrize("key", [b"", b"k" * (limits.IDEMPOTENCY_KEY_CHARS_MAX + 1)])
def test_an_empty_or_long_idempotency_key_returns_20001(key: bytes) -> None:
    pipeline = RecordingPipeline()

    with pytest.raises(ApiError, match=r"Invalid Idempotency-Key\."):
        respond(pipeline, post(), idempotency_key=key)

    assert not pipeline.calls


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/v1/Things", "/Things"),
        ("/2010-04-01/Accounts/AC.json", "/Accounts/AC.json"),
        ("/parlour/v1/Things", "/Things"),
        ("/v1", "/"),
        ("/v10/Things", "/v10/Things"),
        ("/elsewhere", "/elsewhere"),
        ("/v1/é", "/é"),
        ("/v1/\udc80", "/?"),
    ],
)
def test_a_resource_is_the_path_without_its_version(path: str, resource: str) -> None:
    assert Edge.resource_of(path) == resource


# --- Responses --------------------------------------------------------------------------


def test_a_record_is_represented_with_the_urls_of_its_request() -> None:
    pipeline = RecordingPipeline(OperationResult(201, "made"))

    response = respond(pipeline, post())

    expected = {"record": "made", "base_url": "http://parlour.test/v1", "shows_service": False}
    assert (response.status, json.loads(response.body)) == (201, expected)
    assert pipeline.rendered == [response.body]


def test_a_record_of_a_service_has_the_service_in_its_urls_in_lower_case() -> None:
    called = operation(form=UrlForm.SERVICE)
    names = {"ChatServiceSid": SERVICE}

    response = respond(RecordingPipeline(), called, names=names)

    shown = json.loads(response.body)
    assert shown["base_url"] == f"http://parlour.test/v1/Services/{'IS' + 'a' * 32}"
    assert shown["shows_service"]


def test_a_replayed_response_is_sent_as_it_was_stored() -> None:
    pipeline = RecordingPipeline(OperationResult(201, "made", replayed=b'{"old":1}'))

    response = respond(pipeline, post())

    assert response.body == b'{"old":1}'


# --- Lists ------------------------------------------------------------------------------


def listing(**options: Any) -> Operation:
    """An operation that lists things."""
    has_stream = options.pop("has_stream", False)
    spec = list_(_no_action, key="things", **options)
    return operation(spec, path="/v1/Things", has_stream=has_stream)


@pytest.mark.parametrize(
    ("default", "maximum", "query", "size"),
    [(50, 100, b"", 50), (50, 20, b"", 20), (50, 100, b"PageSize=7", 7), (5, 9, b"PageSize=10", 9)],
)
def test_a_page_has_the_size_of_the_query_within_the_operations_bounds(
    default: int, maximum: int, query: bytes, size: int
) -> None:
    pipeline = RecordingPipeline(OperationResult(200, Rows([])))

    respond(pipeline, listing(default=default, maximum=maximum), "/v1/Things", query=query)

    assert pipeline.call.page_request.size == size


def test_a_page_without_rows_names_no_other_page() -> None:
    pipeline = RecordingPipeline(OperationResult(200, Rows([])))

    response = respond(pipeline, listing(), "/v1/Things", query=b"State=a+b&PageSize=7")

    shown = json.loads(response.body)
    url = "http://parlour.test/v1/Things?State=a%20b&PageSize=7&Page=0"
    assert shown["things"] == []
    assert shown["meta"] == {
        "page": 0,
        "page_size": 7,
        "first_page_url": url,
        "previous_page_url": None,
        "url": url,
        "next_page_url": None,
        "key": "things",
    }


def test_a_page_ends_before_the_row_that_would_make_it_too_large() -> None:
    rows = [ListRecord(number, f"TH{number}") for number in range(3)]
    pipeline = RecordingPipeline(OperationResult(200, Rows(rows)))

    response = respond(pipeline, listing(), "/v1/Things", query=b"State=open")

    shown = json.loads(response.body)
    assert [each["sid"] for each in shown["things"]] == ["TH0"]
    assert shown["meta"]["next_page_url"].startswith("http://parlour.test/v1/Things?State=open&")


def test_a_page_token_is_valid_for_its_own_list_and_filters_only() -> None:
    rows = [ListRecord(number, f"TH{number}") for number in range(3)]
    pipeline = RecordingPipeline(OperationResult(200, Rows(rows)))
    first = respond(pipeline, listing(), "/v1/Things", query=b"State=open")
    query = json.loads(first.body)["meta"]["next_page_url"].partition("?")[2].encode()

    respond(pipeline, listing(), "/v1/Things", query=query)

    position = pipeline.calls[1].page_request.position
    assert position is not None
    assert (position.key, position.sid) == (0, "TH0")
    for path, other in (
        ("/v1/Others", query),
        ("/v1/Things", query.replace(b"State=open", b"State=closed")),
    ):
        with pytest.raises(ApiError, match="PageToken"):
            respond(pipeline, listing(), path, query=other)


@pytest.mark.parametrize(("query", "is_shown"), [(b"Wait=1", True), (b"", False)])
def test_a_list_that_waits_shows_whether_it_is_complete(query: bytes, *, is_shown: bool) -> None:
    pipeline = RecordingPipeline(OperationResult(200, Rows([])))
    called = listing(wakes_on=frozenset({"onThing"}), parameters=WaitParameters)

    shown = json.loads(respond(pipeline, called, "/v1/Things", query=query).body)

    assert shown.get("complete") is (True if is_shown else None)
