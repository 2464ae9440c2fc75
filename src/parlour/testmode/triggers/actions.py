"""The action of triggers.

1. The request is checked: its event, and the names of its parameters.
2. The objects that the trigger needs are found or created (``prerequisites.py``).
3. The operation runs through the pipeline, as a request with ``X-Twilio-Webhook-Enabled: true``:
   pre-action webhooks are called, and may reject it.
4. The event is found in the log.

A delivery's event is caused by the carrier's report on a new message: the message itself triggers
no webhook, and the report is waited for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.operations.call import AcceptedResult
from parlour.operations.parameters import wire_names
from parlour.store import event_log
from parlour.testmode.triggers import declarations
from parlour.testmode.triggers import store as trigger_store
from parlour.testmode.triggers.operation_calls import OperationCalls
from parlour.testmode.triggers.prerequisites import Prerequisites
from parlour.testmode.triggers.representation import TriggerResult
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.protocol.forms import FormFields
    from parlour.testmode.triggers.declarations import Trigger
    from parlour.testmode.triggers.parameters import CreateTrigger
    from parlour.testmode.wiring import ServerHandles, TestMode
    from parlour.vocabulary.event import Event

_WITH_WEBHOOKS: Final = Origin(fires=True)
_PENDING: Final = 202


async def create_trigger(
    test_mode: TestMode, call: Call[CreateTrigger]
) -> TriggerResult | AcceptedResult:
    """Make the change that causes an event; return its number and the SIDs of the objects."""
    parameters = call.parameters
    trigger = declarations.trigger_of(parameters.event_type)
    handles = test_mode.handles
    service_sid = parameters.given().get("chat_service_sid") or None
    calls = OperationCalls(handles.pipeline, call.caller, service_sid)
    operation = calls.operation(trigger.operation_id)
    names = frozenset(name for name, _, _ in wire_names(operation.spec.parameters))
    named, form = _split(trigger, call.form, names)
    prepared = Prerequisites(handles.store, test_mode.random, calls, call.caller.account_sid, named)
    await prepared.prepare(trigger)
    form = _completed(trigger, prepared, named, form)
    if trigger.event_type == event_names.ON_PARTICIPANT_ADDED and "Identity" in form:
        # Else the participant would add its user, which is another event.
        await prepared.ensure_user(form["Identity"][-1])
    position = await handles.store.read(event_log.visible_through)
    origin = SILENT if declarations.RECIPIENT in trigger.needs else _WITH_WEBHOOKS
    changed = await calls.run(trigger.operation_id, _path(trigger, prepared), form, origin)
    if changed is not None:
        prepared.objects[trigger.subject] = changed
    subject_sid = prepared.objects[trigger.subject].sid
    event = await _event(handles, trigger, call.caller.account_sid, subject_sid, position)
    result = TriggerResult(
        event_type=trigger.event_type,
        operation_id=operation.operation_id,
        sequence=None if event is None else event.sequence,
        sids=_sids(prepared.objects, prepared.objects[trigger.subject].service_sid, event),
        created=tuple(prepared.created),
    )
    return AcceptedResult(_PENDING, result) if event is None else result


def _split(
    trigger: Trigger, form: FormFields, names: frozenset[str]
) -> tuple[dict[str, str], FormFields]:
    """Return the parameters that name objects, and the operation's parameters. Raises 20001."""
    known = names | trigger.selectors
    for name in form:
        if name not in known:
            hint = declarations.did_you_mean(name, known)
            raise ApiError(20001, f"Unknown parameter {name[:100]} of {trigger.event_type}{hint}")
    named = {name: form[name][-1] for name in trigger.selectors & form.keys() if form[name][-1]}
    # Of a participant that the request names, Identity is the new one.
    are_both = set(names)
    if not trigger.creates and "ParticipantSid" not in named:
        are_both -= trigger.selectors
    return named, {name: texts for name, texts in form.items() if name in are_both}


def _completed(
    trigger: Trigger, prepared: Prerequisites, named: dict[str, str], form: FormFields
) -> FormFields:
    """Return the form of the operation with the parameters that the request left out."""
    if trigger.event_type == event_names.ON_CONVERSATION_STATE_UPDATED:
        return _with_state(prepared, form)
    if trigger.updates and not form:  # An update of nothing is an error: the value stays as it is.
        return {"Attributes": [prepared.objects[trigger.subject].attributes]}
    if not trigger.creates:
        return form
    defaults: FormFields = {}
    if trigger.subject == declarations.MESSAGE:
        defaults["Body"] = [declarations.DEFAULT_BODY]
        is_delivery = declarations.RECIPIENT in trigger.needs
        author = named.get("Identity") if is_delivery else prepared.author
        defaults |= {"Author": [author]} if author else {}
    elif trigger.subject == declarations.USER:
        defaults["Identity"] = [prepared.new_identity()]
    elif trigger.subject == declarations.PARTICIPANT:
        if prepared.address:
            defaults = prepared.binding_form(prepared.address)
        elif not any(name.startswith("MessagingBinding.") for name in form):
            defaults["Identity"] = [prepared.new_identity()]
    return defaults | form


def _with_state(prepared: Prerequisites, form: FormFields) -> FormFields:
    """Return the form with another state than the present one. Raises 20001 for the same state."""
    present = prepared.objects[declarations.CONVERSATION].state
    if "State" not in form:
        return form | {"State": ["active" if present == "inactive" else "inactive"]}
    if form["State"][-1].lower() == present:
        raise ApiError(20001, f"The conversation is {present} already: State must be another one.")
    return form


def _path(trigger: Trigger, prepared: Prerequisites) -> dict[str, str]:
    """Return the variables of the operation's path."""
    path = {}
    if declarations.CONVERSATION in trigger.needs and trigger.subject != declarations.CONVERSATION:
        path["ConversationSid"] = prepared.objects[declarations.CONVERSATION].sid
    if not trigger.creates:
        path["Sid"] = prepared.objects[trigger.subject].sid
    return path


async def _event(
    handles: ServerHandles, trigger: Trigger, account_sid: str, subject_sid: str, position: int
) -> Event | None:
    """Return the event of the change; None if it has not come within the limit."""
    find = partial(
        trigger_store.find_event_after,
        position=position,
        account_sid=account_sid,
        subject_sid=subject_sid,
        name=trigger.event_type,
    )
    if declarations.RECIPIENT not in trigger.needs:
        return await handles.store.read(find)
    waits = handles.waiting_lists
    wait = await waits.enter(account_sid, None, frozenset({trigger.event_type}))
    try:
        wait.start(limits.TRIGGER_WAIT_SECONDS_MAX)
        while True:  # Ends at the latest after the read at the end of the wait.
            is_last = wait.is_over
            event = await handles.store.read(find)
            if event is not None or is_last:
                return event
            await wait.wait(waits.interval_seconds)
    finally:
        waits.leave(wait)


def _sids(objects: dict[str, Any], service_sid: str, event: Event | None) -> dict[str, str]:
    """Return the SIDs by kind, with the service and the receipt that the event is about."""
    sids = {kind: found.sid for kind, found in objects.items()} | {"chat_service": service_sid}
    if event is not None and event.name == event_names.ON_DELIVERY_UPDATED:
        sids["delivery_receipt"] = msgspec.json.decode(event.payload)["receipt"]["sid"]
    return {f"{kind}_sid": sid for kind, sid in sorted(sids.items())}
