"""Representation of faults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from parlour.protocol.timestamps import format_date_ms
from parlour.testmode.faults.checks import FIELDS

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.faults.fault import Fault

_WORD_START: Final = re.compile("(?<!^)(?=[A-Z])")


def resource(fault: Fault, view: View) -> dict[str, Any]:
    """Return a fault with its counters, and the parameters of its target."""
    rule = fault.rule
    own = {_snake_case(name): getattr(rule, field) for name, field in FIELDS[rule.target].items()}
    root = view.root_url.removesuffix("/v1")
    return {
        "sid": fault.sid,
        "account_sid": fault.account_sid,
        "target": rule.target,
        "scope": rule.scope,
        "name": rule.name,
        "skip": rule.skip,
        "times": rule.times,
        "probability": rule.probability,
        **own,
        "matched": fault.matched,
        "fired": fault.fired,
        "left": fault.left,
        "date_created": format_date_ms(fault.date_created),
        "url": f"{root}/parlour/v1/Faults/{fault.sid}",
    }


def _snake_case(name: str) -> str:
    return _WORD_START.sub("_", name).lower()
