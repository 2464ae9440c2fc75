"""Representations of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.seeds.seeder import LoadedSeed


def loaded(seed: LoadedSeed, view: View) -> dict[str, Any]:
    """Return the SIDs of the created objects, by their place in the seed."""
    del view
    return {"sids": seed.sids, "elapsed_ms": seed.elapsed_ms}


def checked(seed: LoadedSeed, view: View) -> dict[str, Any]:
    """Return the places of the objects that would be created: they have no SIDs."""
    del view
    return {"labels": list(seed.sids), "elapsed_ms": seed.elapsed_ms}


def document(exported: dict[str, Any], view: View) -> dict[str, Any]:
    """Return an exported account, or the schema of seeds, as it is."""
    del view
    return exported
