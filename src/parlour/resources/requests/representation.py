"""The JSON of a request in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.request_journal import RecordedRequest, RequestDetails
    from parlour.protocol.forms import FormFields

_decode: Final = msgspec.json.Decoder().decode


def resource(request: RecordedRequest, view: View) -> dict[str, Any]:
    """Return one request; the parts that are recorded in test mode only are null otherwise."""
    root = view.root_url.removesuffix("/v1")
    return {
        "sid": request.sid,
        "account_sid": request.account_sid,
        "date": format_date_ms(request.date_ms),
        "source": request.source,
        "operation": request.operation or None,
        "method": request.method,
        "status": request.status or None,
        "code": request.code,
        "elapsed_ms": round(request.elapsed_ms, 3),
        **_details(request.details),
        "url": f"{root}/parlour/v1/Requests/{request.sid}",
    }


def _details(details: RequestDetails | None) -> dict[str, Any]:
    return {
        "path": details and details.path,
        "conversation_sid": (details and details.conversation_sid) or None,
        "identity": details and details.identity,
        "form": details and _form(details.form),
        "answer": details and _answer(details),
        "answer_bytes": details and details.answer_bytes,
        "webhooks_enabled": details and details.fires_webhooks,
        "idempotency_key": details and details.idempotency_key,
        "user_agent": details and details.user_agent,
        "fault": details and details.fault,
    }


def _form(form: FormFields) -> dict[str, Any]:
    """Return a form; a parameter that was repeated is a list."""
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in form.items()}


def _answer(details: RequestDetails) -> Any:
    """Return the response: its JSON, or the beginning as a text if it was cut."""
    if not details.answer:
        return None
    try:
        return _decode(details.answer)
    except (ValueError, RecursionError):
        return details.answer.decode("utf-8", "replace")
