"""The multipart body of an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundMedium
    from parlour.vocabulary.clock import Random


def build_upload(medium: OutboundMedium, content: bytes, random: Random) -> tuple[str, bytes]:
    """Return the content type and the body of an upload: product, type and file."""
    boundary = f"parlour-{random.token(16).hex()}"
    content_type = _on_one_line(medium.content_type)
    filename = _on_one_line(medium.filename or medium.sid).replace("\\", "_").replace('"', "_")
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("messaging_product", "whatsapp"), ("type", content_type))
    )
    head = (
        f"{fields}--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return f"multipart/form-data; boundary={boundary}", body


def _on_one_line(text: str) -> str:
    """Return a text without control characters: a line break would begin another header."""
    return "".join(each for each in text if each.isprintable())
