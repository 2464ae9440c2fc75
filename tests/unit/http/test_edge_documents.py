"""Documents as request bodies: passed as bytes, of the types that operations read."""

from __future__ import annotations

import pytest

from parlour.operations.operation import BodyKind
from parlour.vocabulary.errors import ApiError
from tests.unit.http.test_edge import FORM, RecordingPipeline, post, respond


@pytest.mark.parametrize("kind", ["application/json", "application/yaml", "text/x-yaml"])
def test_an_operation_with_a_document_passes_its_bytes_and_content_type(kind: str) -> None:
    pipeline = RecordingPipeline()
    called = post(request_body=BodyKind.DOCUMENT)

    respond(pipeline, called, body=b"a: %41", content_type=f"{kind}; charset=utf-8".encode())

    call = pipeline.call
    assert (call.body, call.content_type, call.form) == (b"a: %41", kind, {})


@pytest.mark.parametrize("kind", [FORM, b"multipart/form-data; boundary=b", b"text/plain"])
def test_a_document_of_another_type_returns_415(kind: bytes) -> None:
    pipeline = RecordingPipeline()
    called = post(request_body=BodyKind.DOCUMENT)

    with pytest.raises(ApiError) as caught:
        respond(pipeline, called, body=b"--b--\r\n", content_type=kind)

    assert caught.value.status == 415
    assert not pipeline.calls
