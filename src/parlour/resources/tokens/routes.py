"""Access tokens for development: where they are made. It is Parlour's own, not the API's."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, create
from parlour.resources.tokens import actions, parameters, representation

TOKENS = Collection(
    noun="Token",
    version="/parlour/v1",
    path="/Tokens",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(create(actions.create_token, parameters.CreateToken),),
    listed=False,
    answers_by_login=True,
)
