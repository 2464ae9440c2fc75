"""``multipart/form-data`` read as form fields, by the framework's parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from parlour.http.messages import Request
    from parlour.protocol.forms import FormFields


async def parse_multipart(request: Request) -> FormFields:
    """Return the fields of a buffered multipart body. Raises ApiError 20001."""
    # Imported at first use: few clients send such a form.
    import falcon  # noqa: PLC0415
    from falcon.asgi.multipart import MultipartForm  # noqa: PLC0415
    from falcon.asgi.reader import BufferedReader  # noqa: PLC0415
    from falcon.errors import DelimiterError  # noqa: PLC0415
    from falcon.media.multipart import MultipartParseOptions  # noqa: PLC0415

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield request.body

    _, parameters = falcon.parse_header(request.header(b"content-type") or "")
    boundary = parameters.get("boundary", "")
    if not 0 < len(boundary) <= limits.BOUNDARY_CHARS_MAX or not boundary.isascii():
        raise ApiError(20001, "Invalid post body.")
    form: FormFields = {}
    count = 0
    try:
        stream = BufferedReader(pieces())
        async for part in MultipartForm(stream, boundary.encode(), None, MultipartParseOptions()):
            count += 1
            text = (await part.stream.read()).decode()
            if count > limits.FORM_KEYS_MAX or "\0" in text or not part.name:
                raise ApiError(20001, "Invalid post body.")
            form.setdefault(part.name, []).append(text)
    except (falcon.HTTPError, DelimiterError, ValueError):
        raise ApiError(20001, "Invalid post body.") from None
    return form
