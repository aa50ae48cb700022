"""Requests to the OpenID Connect provider: never to this machine itself, unless that is allowed.

The provider's own document names the addresses that netboot asks next, so each connection is
checked when it is made, as for webhooks (netboot.outbound): the name may resolve differently by
then.
"""

import socket
from collections.abc import Iterable
from typing import Any

from authlib.integrations.flask_client.apps import (  # type: ignore[import-untyped]
    FlaskOAuth2App,
    OAuth2Session,
)
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from netboot.outbound import permitted_addresses


def provider_app(allowed: Iterable[str]) -> type[FlaskOAuth2App]:
    """Authlib's client whose connections are checked; `allowed` are networks."""
    adapter = _CheckedAdapter(tuple(allowed))

    class CheckedSession(OAuth2Session):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            for scheme in ("http://", "https://"):
                self.mount(scheme, adapter)

    class CheckedApp(FlaskOAuth2App):  # type: ignore[misc]
        client_cls = CheckedSession

    return CheckedApp


class _CheckedAdapter(HTTPAdapter):
    """An adapter of requests whose pools make checked connections."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        allowed = self._allowed

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connected(self, allowed)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connected(self, allowed)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, allowed: tuple[str, ...]) -> socket.socket:
    """A connection to the first permitted address that answers."""
    fault: OSError = OSError("no address")
    try:
        for address in permitted_addresses(connection.host, connection.port or 0, allowed):
            try:
                return create_connection(
                    (address, connection.port or 0),
                    connection.timeout,
                    socket_options=connection.socket_options,
                )
            except OSError as one:
                fault = one
        raise fault
    except OSError as refused:
        raise NewConnectionError(connection, str(refused)) from refused
