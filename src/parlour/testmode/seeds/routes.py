"""Routes of seeds."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, BodyKind, Collection, on_server
from parlour.testmode.seeds import actions as seed_actions
from parlour.testmode.seeds import parameters as seed_parameters
from parlour.testmode.seeds import representation as seed_representation
from parlour.vocabulary import limits

SEEDS = Collection(
    noun="Seed",
    path="/Seeds",
    instance=None,
    version="/parlour/v1",
    listed=False,
    url_forms=ACCOUNT_ONLY,
    represent=seed_representation.document,
    specs=(
        on_server(
            "Create",
            "POST",
            seed_actions.create_seed,
            status=201,
            represent=seed_representation.loaded,
            request_body=BodyKind.DOCUMENT,
            body_bytes_max=limits.SEED_BYTES_MAX,
        ),
        on_server("Fetch", "GET", seed_actions.fetch_seed, parameters=seed_parameters.FetchSeed),
    ),
)
SEED_CHECK = Collection(
    noun="SeedCheck",
    path="/Seeds/Check",
    instance=None,
    version="/parlour/v1",
    listed=False,
    url_forms=ACCOUNT_ONLY,
    represent=seed_representation.checked,
    specs=(
        replace(
            on_server(
                "Create",
                "POST",
                seed_actions.create_seed_check,
                request_body=BodyKind.DOCUMENT,
                body_bytes_max=limits.SEED_BYTES_MAX,
            ),
            changes_nothing=True,
        ),
    ),
)
SEED_SCHEMA = Collection(
    noun="SeedSchema",
    path="/Seeds/Schema",
    instance=None,
    version="/parlour/v1",
    listed=False,
    url_forms=ACCOUNT_ONLY,
    represent=seed_representation.document,
    specs=(on_server("Fetch", "GET", seed_actions.fetch_seed_schema),),
)
