"""Keys that several sections of a seed have."""

from __future__ import annotations

from typing import Final

from parlour.testmode.seeds.keys import SeedKey, ValueKind


def name_key(about: str) -> SeedKey:
    """Return the key of an object's local name."""
    return SeedKey("key", about, ValueKind.NAME)


def sid_key(prefix: str) -> SeedKey:
    """Return the key of an object's SID."""
    return SeedKey(
        "sid",
        f"SID ({prefix}…) of the object, unused in the account.",
        ValueKind.SID,
        prefix=prefix,
    )


def service_key(what: str) -> SeedKey:
    """Return the key of an object's service."""
    return SeedKey(
        "service",
        f"Service of the {what}, by key or SID; the default service if absent.",
        ValueKind.REFERENCE,
        codes=(50050,),
        refers_to="services",
    )


DATES: Final = (
    SeedKey(
        "date_created", "Date of creation, or a duration before the clock: -PT2H.", ValueKind.DATE
    ),
    SeedKey(
        "date_updated", "Date of the last change; the date of creation if absent.", ValueKind.DATE
    ),
)


def api_dates(created: str) -> tuple[SeedKey, SeedKey]:
    """Return the keys of dates that are parameters of the API."""
    return (
        SeedKey("date_created", created, ValueKind.DATE, "DateCreated"),
        SeedKey("date_updated", DATES[1].about, ValueKind.DATE, "DateUpdated"),
    )
