"""The slot that a request holds from its admission until its response is sent.

A request of the console holds a slot of its session instead, in a separate class, so that neither
a busy console nor busy callers of the API take the slots of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.http.messages import Request
    from parlour.operations.admission import Admission
    from parlour.operations.caller import Caller


def take_slot(request: Request, caller: Caller, admission: Admission) -> None:
    """Admit a request that has no slot yet. Raises ApiError 429 and 503."""
    if request.session is None and request.admitted_as is None:
        admission.enter(caller.account_sid, caller.identity)
        request.admitted_as = caller


def release_slot(request: Request, admission: Admission) -> None:
    """Release the slot of a request, if it has one."""
    if request.session is not None:
        request.session.leave()
        return
    caller, request.admitted_as = request.admitted_as, None
    if caller is not None:
        admission.leave(caller.account_sid, caller.identity)
