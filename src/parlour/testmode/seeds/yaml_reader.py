"""YAML as seeds use it: JSON values, read from the events of PyYAML.

The events are combined to values here instead of by a loader of PyYAML:

- No constructor exists, so no tag can create an object. Anchors, aliases, tags and merge keys are
  errors, so a short text cannot expand to a large document.
- The depth is limited while reading, without recursion.
- Plain scalars follow the core schema of YAML 1.2: ``no``, ``12:30`` and dates are texts. So is a
  number with a plus sign: an address without quotation marks stays an address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from parlour.testmode.seeds.errors import seed_error
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.vocabulary.errors import ApiError

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})\Z")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,9})?\Z")
_WORDS: Final = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain_scalar(text: str) -> Any:
    """Return the value of a scalar without quotation marks."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _NUMBER.match(text):
        return float(text)
    return text


def read_yaml(text: str) -> Any:
    """Return the value of a document. Raises ApiError 20001 with the line."""
    # Imported at the first use: most servers never read YAML.
    import yaml  # noqa: PLC0415

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reader(yaml).read(yaml.parse(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise _wrong(mark, f"invalid YAML: {reason}") from None
    except ValueError as error:
        raise seed_error("", f"invalid YAML: {error}") from None


def _wrong(mark: Any, reason: str) -> ApiError:
    return seed_error("" if mark is None else f"line {mark.line + 1}", reason)


class _Container:
    """A list or an object that is being read."""

    def __init__(self, *, is_object: bool) -> None:
        self.value: Any = {} if is_object else []
        self.is_object = is_object
        self.name: str | None = None
        """The key whose value comes next."""

    def add(self, value: Any, mark: Any) -> None:
        """Add the next value: in an object, keys and values alternate."""
        if not self.is_object:
            self.value.append(value)
        elif self.name is None:
            if not isinstance(value, str):
                raise _wrong(mark, "a key must be a text")
            if value in self.value:
                raise _wrong(mark, f"the key {value!r} occurs twice")
            self.name = value
        else:
            self.value[self.name] = value
            self.name = None


class _Reader:
    """Combines events to one value."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml

    def read(self, events: Iterator[Any]) -> Any:
        """Return the value of the only document."""
        yaml = self._yaml
        root = _Container(is_object=False)
        stack = [root]
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _wrong(event.start_mark, "only one document is allowed")
            elif isinstance(event, yaml.NodeEvent):
                self._read_node(event, stack)
            elif isinstance(event, yaml.CollectionEndEvent):
                ended = stack.pop()
                stack[-1].add(ended.value, event.start_mark)
        return root.value[0] if root.value else None

    def _read_node(self, event: Any, stack: list[_Container]) -> None:
        """Read a scalar, or the start of a list or an object."""
        yaml = self._yaml
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _wrong(mark, "anchors and aliases are not allowed")
        if event.tag not in {None, "!"}:
            raise _wrong(mark, "tags are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            is_plain = event.style is None or not event.style
            is_key = stack[-1].is_object and stack[-1].name is None
            value = event.value if is_key or not is_plain else plain_scalar(event.value)
            if is_key and is_plain and value == "<<":
                raise _wrong(mark, "merge keys are not allowed")
            stack[-1].add(value, mark)
            return
        if len(stack) > limits.SEED_DEPTH_MAX:
            raise _wrong(mark, f"nested deeper than {limits.SEED_DEPTH_MAX} levels")
        container = _Container(is_object=isinstance(event, yaml.MappingStartEvent))
        if stack[-1].is_object and stack[-1].name is None:
            raise _wrong(mark, "a key must be a text")
        stack.append(container)
