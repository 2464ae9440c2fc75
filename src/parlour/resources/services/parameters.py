"""Parameters of the operations on services."""

from __future__ import annotations

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits


class CreateService(Parameters):
    """A new service. Its name need not be unique."""

    friendly_name: str = form_field(
        "FriendlyName", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003), required=True
    )
