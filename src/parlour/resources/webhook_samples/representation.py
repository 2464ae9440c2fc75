"""The JSON of a sample: its request, and the response or the error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.resources.webhook_attempts.representation import without_credentials

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_samples.actions import SentSample


def resource(sample: SentSample, _view: View) -> dict[str, Any]:
    """Return a sample; ``response`` is null if there was none."""
    result = sample.result
    response = {"status": result.status, "body_start": result.body_start}
    return {
        "event_type": sample.event_name,
        "request": {
            "method": sample.method,
            "url": without_credentials(sample.url),
            "parameters": sample.form_fields,
        },
        "response": None if result.status is None else response,
        "elapsed_ms": result.elapsed_ms,
        "error_code": result.error_code,
        "error": result.error,
    }
