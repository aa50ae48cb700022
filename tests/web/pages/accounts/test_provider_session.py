"""Connections to the OpenID Connect provider are checked when they are made."""

import socket

import pytest
import requests

from web.pages.accounts import provider_session
from web.pages.accounts.provider_session import provider_app

pytestmark = pytest.mark.loopback


def session(*allowed):
    return provider_app(allowed).client_cls(client_id="x")


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_not_reached_under_any_name(listening, host, scheme):
    with pytest.raises(requests.RequestException, match="nothing is sent there"):
        session().get(f"{scheme}://{host}:{listening}/", timeout=5, withhold_token=True)


def test_a_name_is_resolved_once_and_its_address_is_checked_and_used(listening, monkeypatch):
    """A second answer of the name server has no effect."""
    asked = []

    def permitted(host, port, allowed):
        asked.append((host, tuple(allowed)))
        return ["127.0.0.1"]

    monkeypatch.setattr(provider_session, "permitted_addresses", permitted)
    with pytest.raises(requests.RequestException) as fault:
        session("10.0.0.0/8").get(
            f"http://provider.invalid:{listening}/", timeout=0.2, withhold_token=True
        )
    assert asked == [("provider.invalid", ("10.0.0.0/8",))]
    assert "timed out" in str(fault.value)
