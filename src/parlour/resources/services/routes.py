"""Routes of services. There is no update: POST on an instance returns 405."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, create, delete, fetch, list_
from parlour.resources.services import actions as service_actions
from parlour.resources.services import parameters as service_parameters
from parlour.resources.services import representation as service_representation
from parlour.vocabulary import limits

SERVICES = Collection(
    noun="Service",
    is_setting=True,
    path="/Services",
    url_forms=ACCOUNT_ONLY,
    represent=service_representation.resource,
    specs=(
        list_(service_actions.list_services, key="services", maximum=limits.PAGE_SIZE_MAX),
        create(service_actions.create_service, service_parameters.CreateService),
        fetch(service_actions.fetch_service),
        delete(service_actions.delete_service),
    ),
)
