"""Routes of access tokens for development, which are Parlour's own and not part of the API."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, create, on_server
from parlour.resources.tokens import actions as token_actions
from parlour.resources.tokens import parameters as token_parameters
from parlour.resources.tokens import representation as token_representation

TOKENS = Collection(
    noun="Token",
    version="/parlour/v1",
    path="/Tokens",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=token_representation.resource,
    specs=(create(token_actions.create_token, token_parameters.CreateToken),),
    listed=False,
    answers_by_login=True,
)

TOKEN_CHECKS = Collection(
    noun="TokenCheck",
    version="/parlour/v1",
    path="/TokenChecks",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=token_representation.check_resource,
    specs=(
        replace(
            on_server(
                "Create",
                "POST",
                token_actions.create_token_check,
                parameters=token_parameters.CreateTokenCheck,
            ),
            changes_nothing=True,
        ),
    ),
    listed=False,
)
