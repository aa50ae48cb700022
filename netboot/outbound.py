"""Messages to addresses that users enter: never to this machine, and never without a time limit.

Otherwise a user could reach services through netboot that only netboot can reach: those of this
machine, or the cloud's metadata. So netboot resolves a name, checks each address, and connects to a
checked address: a name that resolves differently a moment later has no effect. Redirects are not
followed.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

from netboot.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    map(
        ipaddress.ip_address,
        # AWS, Azure, Google and others lie in 169.254.0.0/16, which is link-local.
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
"""Metadata services of clouds, if no other rule covers them."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
ADDRESSES_TRIED = 4


def refusal(address: str, allowed: Iterable[str] = ()) -> str:
    """Why nothing may be sent to an IP address, or empty. `allowed` are networks."""
    found = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if any(found in ipaddress.ip_network(network) for network in allowed):
        return ""
    for is_so, words in (
        (found.is_loopback, "this machine itself"),
        (found.is_unspecified, "this machine itself"),
        (_is_own(found), "this machine itself"),
        (found.is_link_local, "a link-local address, where clouds keep secrets"),
        (found in METADATA, "an address where clouds keep secrets"),
        (found.is_multicast, "a group of machines"),
        (str(found) == "255.255.255.255", "all machines of a network"),
    ):
        if is_so:
            return words
    return ""


def _is_own(address: Address) -> bool:
    """Whether it is an address of one of this machine's interfaces.

    The system itself says so: to an own address it sends from that very address (no packet is sent
    for this question). Thus no list of interfaces can be out of date.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]) == address
    except OSError:  # no way leads there, or a group of machines
        return False


def check_host(host: str, allowed: Iterable[str] = ()) -> None:
    """Raises InvalidInput for a host that is refused whatever its name resolves to."""
    try:
        words = refusal(host.strip("[]"), allowed)
    except ValueError:  # a name; it is checked each time it is resolved
        name = host.rstrip(".").lower()
        local = name == "localhost" or name.endswith(".localhost")
        words = refusal("127.0.0.1", allowed) if local else ""
    if words:
        raise InvalidInput(
            f"{host} is {words}: nothing is sent there",
            hint="An administrator may allow its network in the setting webhook_networks.",
        )


def _meant(address: Address) -> Address:
    """The IPv4 address in an IPv6 address, if there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        if int(address) >> 32 == 0 and int(address) > 1:  # IPv4-compatible (RFC 4291, 2.5.5.1)
            return ipaddress.IPv4Address(int(address))
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def permitted_addresses(host: str, port: int, allowed: Iterable[str] = ()) -> list[str]:
    """The addresses of a host that may be reached; connect to these, not to the name again.

    Raises OSError if the name cannot be resolved, or if none of its addresses is permitted.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise OSError(f"{host} cannot be resolved: {fault}") from fault
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = tuple(allowed)
    words = {address: refusal(address, allowed) for address in addresses}
    fit = [address for address in addresses if not words[address]]
    if addresses and not fit:
        raise OSError(f"{host} is {words[addresses[0]]} ({addresses[0]}): nothing is sent there")
    return fit[:ADDRESSES_TRIED]


class Outbound:
    """Sends messages to permitted addresses, each within `seconds` from first byte to last."""

    def __init__(self, allowed: Iterable[str] = (), *, seconds: float = 10.0) -> None:
        self._allowed = tuple(allowed)
        self._seconds = seconds
        self._tls = ssl.create_default_context()

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """Send a message; returns the answer's status. Raises OSError with the reason."""
        fields = list(headers.items())
        reach = _Reach(self._allowed, time.monotonic() + self._seconds)
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls, network_backend=reach, max_connections=1
                ) as pool,
                pool.stream("POST", url, headers=fields, content=content) as response,
            ):
                status: int = response.status
                return status
        except TRANSPORT_FAULTS as fault:
            raise OSError(f"{type(fault).__name__}: {fault}") from fault


TRANSPORT_FAULTS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ProxyError,
    ValueError,  # not a valid URL
    OSError,
)


class _Reach(httpcore.NetworkBackend):
    """Connects only to permitted addresses, until `deadline` (monotonic seconds)."""

    def __init__(self, allowed: tuple[str, ...], deadline: float) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's permitted addresses that answers."""
        fault: Exception | None = None
        for address in self._addresses(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    address,
                    port,
                    timeout=left(self._deadline),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as one:
                fault = one
                continue
            return _Bounded(stream, self._deadline)
        raise fault or httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return permitted_addresses(host, port, self._allowed)
        except OSError as fault:
            raise httpcore.ConnectError(str(fault)) from fault


class _Bounded(httpcore.NetworkStream):
    """A connection that ends at the deadline, however slow the other side is."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, timeout=left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, timeout=left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Start TLS; the certificate must match the host name, not the address."""
        stream = self._stream.start_tls(
            ssl_context, server_hostname=server_hostname, timeout=left(self._deadline)
        )
        return _Bounded(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def left(deadline: float) -> float:
    """Seconds until the deadline. Raises ReadTimeout after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the message took too long")
    return seconds
