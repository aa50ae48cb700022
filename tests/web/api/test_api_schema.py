"""The API under fire: what its description allows and what it forbids, thousands of times."""

import shutil
import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from netboot.operations.accounts import accounts, audit, tokens
from netboot.site import Site
from tests.web.conftest import close
from web.app import create_app

EXAMPLES = 8
SECONDS = 25.0
"""For each operation and kind of request; one of each where the machine is too slow for all."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def attacked(furnished_folder, tmp_path_factory):
    """A site of its own, its description, and the header of an administrator's token."""
    site = Site.open(shutil.copytree(furnished_folder, tmp_path_factory.mktemp("api") / "data"))
    ada = accounts.get_account(site, "ada")
    _, token = tokens.create_token(site, ada, "schemathesis", scope="administer")
    headers = {"Authorization": f"Bearer {token}"}
    app = create_app(site)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=headers)
    yield site, schema, headers
    close(site)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_api_fail(attacked, mode):
    """Every answer is one that the description names, in the form that it says; never a 5xx."""
    site, schema, headers = attacked
    sent, began = 0, time.monotonic()
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES if time.monotonic() - began < SECONDS else 1,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def attack(case):
            nonlocal sent
            sent += 1
            response = case.call(headers=headers)
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            case.validate_response(response, checks=CHECKS)

        attack()

    assert sent > 60
    assert audit.verify(site).faults == ()
