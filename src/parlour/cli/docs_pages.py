"""The generated pages: operations, errors, settings, limits and events, as Markdown.

Each is rendered from the declarations that the server uses, so that they cannot diverge.
Handwritten pages may have tables of limits, of which some columns are generated (`fill_bounds`).
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
from typing import TYPE_CHECKING, Final

from parlour import config
from parlour.cli.docs_seeds import INTRODUCTION as SEEDS_INTRODUCTION
from parlour.cli.docs_seeds import seeds_body
from parlour.operations.operation import AuthScheme, BodyKind
from parlour.operations.parameters import wire_names
from parlour.resources.table import operations
from parlour.resources.webhook_forms import parameter_names
from parlour.testmode.table import declared_operations
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import CATALOGUE, LOG_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.operations.operation import Operation

_NOTE: Final = "<!-- Made by `make docs` from the code: change it there. -->"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _page(title: str, introduction: str, body: str) -> str:
    return f"{_NOTE}\n\n# {title}\n\n{introduction}\n\n{body}"


def operations_page() -> str:
    """Return the page of operations: id, method, path, success, parameters."""
    rows = []
    in_test_mode = declared_operations()
    for each in (*operations(), *in_test_mode):
        parameters = ", ".join(
            name + ("!" if required else "") + ("[]" if repeated else "")
            for name, required, repeated in wire_names(each.spec.parameters)
        )
        header = "yes" if each.spec.takes_webhook_header else ""
        exceptions = "; ".join(_exceptions(each, in_test_mode))
        row = (f"`{each.operation_id}`", each.method, f"`{each.path}`", str(each.spec.status))
        rows.append((*row, header, parameters, exceptions))
    head = ("operation", "method", "path", "success", "webhook header", "parameters", "exceptions")
    text = (
        f"The {len(rows)} operations of the API. `!` marks a required parameter, `[]` one that"
        " may be repeated; lists also take PageSize, Page and PageToken. The caller is an account"
        " login, the parameters are a form or a query, and the response is JSON, but for what the"
        " last column says."
    )
    return _page("Operations", text, _table(head, rows))


def _exceptions(operation: Operation, in_test_mode: tuple[Operation, ...]) -> list[str]:
    """Return how an operation's availability, authentication and bodies differ from most."""
    found = ["test mode only"] if operation in in_test_mode else []
    if operation.for_operators:
        found.append("caller: an operator")
    if operation.authentication is not AuthScheme.ACCOUNT_LOGIN:
        found.append(f"caller: {operation.authentication.value}")
    if operation.spec.request_body is not BodyKind.FORM:
        found.append(f"request body: {operation.spec.request_body.value}")
    if operation.spec.response_body is not BodyKind.JSON:
        found.append(f"response body: {operation.spec.response_body.value}")
    if operation.spec.has_stream:
        found.append("also a stream of server-sent events")
    return found


def errors_page() -> str:
    """Return the page of error codes: status, message and condition."""
    rows = [
        (
            str(code),
            "log only" if entry.status == LOG_ONLY else str(entry.status),
            entry.message,
            entry.when,
        )
        for code, entry in sorted(CATALOGUE.items())
    ]
    text = (
        "Every refusal is JSON: `code`, `message`, `more_info` and `status`. Codes that are only"
        " logged, or that name a condition this server cannot reach, are listed for those who"
        " look one up."
    )
    return _page("Errors", text, _table(("code", "status", "message", "when"), rows))


def settings_page() -> str:
    """Return the page of settings: flag, variable, default, allowed values, description."""
    rows = [
        (
            f"`{each.flag}`",
            f"`{each.variable}`",
            f"`{each.default}`" if each.default not in ("", ()) else "",
            each.check.allowed,
            each.description,
        )
        for each in config.setting_descriptions()
    ]
    text = (
        "The command line wins over the environment. All settings are checked at start: each wrong"
        " one causes an error message, and the exit status is 2. A variable that begins with"
        " `PARLOUR_` and is at most two letters away from one of these is an error too, any other"
        " one a warning. Variables that a container platform sets for a service called parlour"
        " (`PARLOUR_SERVICE_HOST`, `PARLOUR_PORT=tcp://…`, `PARLOUR_PORT_8080_TCP`) are ignored."
    )
    head = ("flag", "variable", "default", "allowed", "meaning")
    return _page("Settings", text, _table(head, rows))


def limits_page() -> str:
    """Return the page of limits: name, value and description."""
    comments = _limit_comments()
    rows = [
        (f"`{name}`", f"{getattr(limits, name):,}", comments[name])
        for name in comments
        if isinstance(getattr(limits, name), int)
    ]
    text = (
        "Every limit of the server. [Overload](../explanation/overload.md) describes what happens"
        " when one is reached."
    )
    return _page("Limits", text, _table(("limit", "value", "meaning"), rows))


def _limit_comments() -> dict[str, str]:
    """Return the description of each limit, by name."""
    areas = [getattr(limits, each.name) for each in pkgutil.iter_modules(limits.__path__)]
    parts = (limits.units, limits, *(each for each in areas if each is not limits.units))
    return {
        name: text for part in parts for name, text in _comments(inspect.getsource(part)).items()
    }


# --- Tables of limits in handwritten pages ----------------------------------------------

BOUNDS_HEAD: Final = ("bound", "default", "meaning", "at it")


def fill_bounds(page: str) -> str:
    """Return a page with the default and the meaning of each limit from the code.

    The first column of such a table is a limit or the flag of a setting, the last one is the
    handwritten effect of reaching it. Raises KeyError for an unknown name.
    """
    comments = _limit_comments()
    settings = {each.flag: each for each in config.setting_descriptions()}
    head = "| " + " | ".join(BOUNDS_HEAD) + " |"
    lines: list[str] = []
    is_inside = False
    for line in page.splitlines():
        is_inside = line == head or (is_inside and line.startswith("|"))
        if not is_inside or not line.startswith("| `"):
            lines.append(line)
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        name = cells[0].strip("`")
        if name in settings:
            setting = settings[name]
            default, meaning = _quantity(name.strip("-"), setting.default), setting.description
        else:
            meaning = comments[name]
            default = _quantity(name, getattr(limits, name))
        lines.append(f"| `{name}` | {default} | {meaning} | {cells[-1]} |")
    return "\n".join(lines) + "\n"


def _quantity(name: str, value: object) -> str:
    """Return a value with its unit, which is a part of the name."""
    if not isinstance(value, int):
        return str(value)
    words = name.upper().replace("-", "_").split("_")
    rate = "/s" if "_PER_SECOND" in name else ""
    if "BYTES" in words:
        return _size(value) + rate
    if name.endswith("_PER_MS"):
        return f"{value:,}/ms"
    if "MS" in words and value and value % 1000 == 0:
        value, words = value // 1000, ["SECONDS"]
    return f"{value:,}" + next((_UNITS[each] for each in words if each in _UNITS), "") + rate


_UNITS: Final = {"MS": " ms", "SECONDS": " s", "PERCENT": " %"}


def _size(value: int) -> str:
    for unit, size in (("MiB", limits.MEBIBYTE), ("KiB", limits.KIBIBYTE)):
        if value and value % size == 0:
            return f"{value // size:,} {unit}"
    return f"{value:,} B"


def _comments(source: str) -> dict[str, str]:
    """Return each constant's comment: the lines above it, or the string below it."""
    lines = source.splitlines()
    body = ast.parse(source).body
    found: dict[str, str] = {}
    for number, node in enumerate(body):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        text = _string_after(body, number) or _lines_above(lines, node.lineno - 1)
        found[node.targets[0].id] = text
    return found


def _string_after(body: list[ast.stmt], number: int) -> str:
    after = body[number + 1] if number + 1 < len(body) else None
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        return " ".join(str(after.value.value).split())
    return ""


def _lines_above(lines: list[str], index: int) -> str:
    above: list[str] = []
    while index > 0 and lines[index - 1].startswith("#"):
        index -= 1
        above.insert(0, lines[index].lstrip("# "))
    return " ".join(above)


def events_page() -> str:
    """Return the page of events: phase, and the levels at which they can be filtered."""
    rows = [(f"`{name}`", "pre-action", "account, service") for name in event_names.PRE_ACTION]
    rows += [
        (
            f"`{name}`",
            "post-action",
            "account, service, conversation"
            if name in event_names.SCOPED_FILTERS
            else "account, service",
        )
        for name in event_names.POST_ACTION
    ]
    text = "The names that webhooks are filtered by; they are case-sensitive."
    filters = _table(("event", "phase", "may be filtered at"), rows)
    return _page("Events", text, filters + _event_parameters())


def _event_parameters() -> str:
    """Return the section of the parameters of each event's webhook requests."""
    parameters = (
        (f"`{name}`", ", ".join(sorted(parameter_names(name))))
        for name in (*event_names.PRE_ACTION, *event_names.POST_ACTION)
    )
    text = "The parameters of a request. One without a value is left out."
    return f"\n## Parameters\n\n{text}\n\n{_table(('event', 'parameters'), parameters)}"


def seeds_page() -> str:
    """Return the page of seeds: their rules and keys."""
    return _page("Seeds", SEEDS_INTRODUCTION.rstrip(), seeds_body())


PAGES: Final[dict[str, Callable[[], str]]] = {
    "operations.md": operations_page,
    "errors.md": errors_page,
    "settings.md": settings_page,
    "limits.md": limits_page,
    "events.md": events_page,
    "seeds.md": seeds_page,
}
