"""Errors of seeds: an API error whose message starts with the path of the wrong value."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSPECIFIC = 20001


def seed_error(path: str, reason: str) -> ApiError:
    """Return the error 20001 for a value that is wrong in the document itself."""
    return ApiError(_UNSPECIFIC, f"{path}: {reason}" if path else reason)


def refused(path: str, error: ApiError) -> ApiError:
    """Return the error of a validator of the API, with its code and the path."""
    if error.code == _UNSPECIFIC:
        return seed_error(path, error.message)
    return ApiError(error.code, f"{path}: {error.code} {error.message}", status=400)


def unknown_key(path: str, name: str, known: Iterable[str]) -> ApiError:
    """Return the error for an unknown key, with the nearest known one."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}."
    return seed_error(path, f"unknown key {name!r}; {hint}")
