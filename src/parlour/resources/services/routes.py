"""Services: where they are and what can be done. There is no update: POST on one is 405."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, create, delete, fetch, list_
from parlour.resources.services import actions, parameters, representation
from parlour.vocabulary import limits

SERVICES = Collection(
    noun="Service",
    is_setting=True,
    path="/Services",
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        list_(actions.list_services, key="services", maximum=limits.PAGE_SIZE_MAX),
        create(actions.create_service, parameters.CreateService),
        fetch(actions.fetch_service),
        delete(actions.delete_service),
    ),
)
