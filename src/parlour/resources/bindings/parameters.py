"""What may be said about push bindings."""

from __future__ import annotations

from dataclasses import dataclass

from parlour.operations.parameters import Parameters, said
from parlour.resources.bindings.store import BINDING_TYPES
from parlour.vocabulary import limits, values
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.values import Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBindings(Parameters):
    """Filters of a list: any of the types, and any of the identities."""

    binding_type: list[str] | Unset = said(
        "BindingType", values.enum(*BINDING_TYPES, code=50209), repeated=True
    )
    identity: list[str] | Unset = said(
        "Identity", values.text(limits.IDENTITY_CHARS_MAX, 50207), repeated=True
    )

    def types(self) -> list[str]:
        """The types asked for, each once; none for any."""
        return [] if isinstance(self.binding_type, Unset) else _once(self.binding_type)

    def identities(self) -> list[str]:
        """The identities asked for, each once; none for any."""
        wanted = [] if isinstance(self.identity, Unset) else _once(self.identity)
        if len(wanted) > limits.BINDING_IDENTITIES_MAX:
            raise ApiError.invalid("Identity")
        return wanted


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
