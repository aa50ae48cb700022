"""The API under fire: what its description allows and what it forbids, thousands of times."""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from netboot.operations import accounts, tokens
from netboot.site import Site
from tests.web.conftest import close
from web.app import create_app

EXAMPLES = 12
"""For each operation and each way to make requests; about a minute for all of them."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def attacked(furnished_folder, tmp_path_factory):
    """An application on a site of its own, and the header of an administrator's token."""
    site = Site.open(shutil.copytree(furnished_folder, tmp_path_factory.mktemp("api") / "data"))
    _, token = tokens.create_token(
        site, accounts.get_account(site, "ada"), "schemathesis", scope="administer"
    )
    yield create_app(site), {"Authorization": f"Bearer {token}"}
    close(site)


@pytest.fixture(scope="module")
def api_schema(attacked):
    app, headers = attacked
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=headers)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_api_fail(case, attacked):
    """Every answer is one that the description names, in the form that it says; never a 5xx."""
    _, headers = attacked
    response = case.call(headers=headers)

    assert response.status_code < 500, response.text
    case.validate_response(response, checks=CHECKS)
