"""``multipart/form-data`` read as form fields, by the framework's parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.http.messages import Request
    from parlour.protocol.forms import Form


async def parse_multipart(request: Request) -> Form:
    """The fields of a multipart body, which was read already. Raises ApiError 20001."""
    # Imported at first use: hardly any client sends such a form.
    import falcon  # noqa: PLC0415
    import falcon.asgi  # noqa: PLC0415

    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        body, given = (b"" if given else request.body), True
        return {"type": "http.request", "body": body, "more_body": False}

    form: Form = {}
    count = 0
    try:
        async for part in await falcon.asgi.Request(dict(request.scope), receive).get_media():
            count += 1
            text = (await part.stream.read()).decode()
            if count > limits.FORM_KEYS_MAX or "\0" in text or not part.name:
                raise ApiError(20001, "Invalid post body.")
            form.setdefault(part.name, []).append(text)
    except (falcon.HTTPError, UnicodeDecodeError, ValueError):
        raise ApiError(20001, "Invalid post body.") from None
    return form
