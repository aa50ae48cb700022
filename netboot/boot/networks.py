"""The networks that a site serves: what its settings ask for, and what this host has now.

`place` is one pure function of both: it says where each network is served and as what, or what it
waits for. The boot services call it again whenever an interface or an address changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from netboot.boot.network_settings import NetworkSetting


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An IPv4 address of this machine, with its network."""

    interface: str
    address: str
    network: IPv4Network


@dataclass(frozen=True, slots=True)
class Host:
    """The interfaces of this machine and their addresses, in the system's order.

    `indexes` are the kernel's numbers of the interfaces.
    """

    interfaces: tuple[str, ...]
    addresses: tuple[HostAddress, ...]
    indexes: tuple[int, ...] = ()

    def index_of(self, interface: str) -> int:
        """The number of the interface: another one of the same name has another number."""
        return dict(zip(self.interfaces, self.indexes, strict=False)).get(interface, 0)

    def has(self, address: str) -> bool:
        """Whether the address is this machine's; all of 127.0.0.0/8 is."""
        return address.startswith("127.") or any(one.address == address for one in self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of the site, as things are now.

    `address` is ours for machines there; empty behind relays, where it is that of the interface
    at which a request comes in. `subnets` are the networks of the interface. `relayed` is the
    network whose relays' requests belong here. `waits` is why it cannot be served yet. `index` is
    the kernel's number of the interface: sockets are bound to that, not to its name.
    """

    name: str
    interface: str = ""
    index: int = 0
    address: str = ""
    subnets: tuple[IPv4Network, ...] = ()
    relayed: IPv4Network | None = None
    allowed: bool = True
    block_size: int = 0
    response_delay: float = 0.0
    only_known: bool = False
    is_local: bool = True
    waits: str = ""
    hint: str = ""

    @property
    def state(self) -> str:
        """One of "waits", "not allowed", "behind relays", "serves"."""
        if self.waits:
            return "waits"
        if not self.allowed:
            return "not allowed"
        return "serves" if self.is_local else "behind relays"


@dataclass(frozen=True, slots=True)
class Listening:
    """An interface where DHCP requests are heard: its own networks, and all behind relays."""

    interface: str
    own: tuple[Network, ...]
    relayed: tuple[Network, ...]


def place(wanted: Sequence[NetworkSetting], host: Host) -> tuple[Network, ...]:
    """Each wanted network on this host, in the same order."""
    found: list[Network] = []
    for one in wanted:
        network = _placed(one, host, alone=len(wanted) == 1)
        if network.interface:
            network = replace(network, index=host.index_of(network.interface))
        twin = next((n for n in found if _is_same_place(n, network)), None)
        if twin is not None:
            as_ours = f"{network.interface} as {network.address}"
            network = _waiting(
                one,
                f"{as_ours} is served already, as the network {twin.name}",
                "Remove one of the two from the settings, or give each its own address.",
            )
        found.append(network)
    if any(n.is_local and n.interface and not n.waits for n in found):
        return tuple(found)
    return tuple(n if n.is_local or n.waits else _unreachable(n) for n in found)


def _is_same_place(one: Network, other: Network) -> bool:
    return (
        one.is_local
        and other.is_local
        and not (one.waits or other.waits)
        and (one.interface, one.address) == (other.interface, other.address)
    )


def _unreachable(network: Network) -> Network:
    """A network behind relays while no interface is served at which they could be heard."""
    return Network(
        name=network.name,
        relayed=network.relayed,
        allowed=network.allowed,
        is_local=False,
        waits=f"no interface of this server is in {network.relayed}",
        hint="If DHCP relays forward its requests, name the interface at which they come in as"
        " another network.",
    )


def _placed(one: NetworkSetting, host: Host, *, alone: bool) -> Network:
    if one.interface and one.interface not in host.interfaces:
        names = ", ".join(host.interfaces)
        return _waiting(
            one,
            f"there is no network interface {one.interface}",
            f"Interfaces of this machine: {names}.",
        )
    if one.address and not host.has(one.address):
        return _waiting(
            one,
            f"this server has no address {one.address}",
            "`ip -4 address` lists the addresses of this server.",
        )
    subnet = IPv4Network(one.subnet) if one.subnet else None
    near = [
        held
        for held in host.addresses
        if (not one.interface or held.interface == one.interface)
        and (subnet is None or IPv4Address(held.address) in subnet)
    ]
    if one.interface and not near and (subnet is not None or not one.address):
        within = f" in {subnet}" if subnet else ""
        return _waiting(
            one,
            f"interface {one.interface} has no IPv4 address{within}",
            "Machines load from this address: assign one first.",
        )
    if subnet is not None and not near:
        return _network(one, address=one.address, relayed=subnet, is_local=False)
    if not one.interface and subnet is None:
        near = [held for held in near if held.address == one.address]
        interface = "" if alone or not near else near[0].interface
        return _network(one, interface=interface, address=one.address, subnets=_subnets(near))
    interface = one.interface or near[0].interface
    own = [held for held in host.addresses if held.interface == interface]
    own += [held for held in host.addresses if held.address == one.address]
    return _network(
        one,
        interface=interface,
        address=one.address or near[0].address,
        subnets=(subnet,) if subnet else _subnets(own),
        relayed=subnet,
    )


def _subnets(held: Iterable[HostAddress]) -> tuple[IPv4Network, ...]:
    return tuple(dict.fromkeys(one.network for one in held))


def _network(
    one: NetworkSetting,
    *,
    interface: str = "",
    address: str = "",
    subnets: tuple[IPv4Network, ...] = (),
    relayed: IPv4Network | None = None,
    is_local: bool = True,
) -> Network:
    return Network(
        name=one.name,
        interface=interface,
        address=address,
        subnets=subnets,
        relayed=relayed,
        allowed=one.allowed,
        block_size=one.block_size,
        response_delay=one.response_delay,
        only_known=one.only_known,
        is_local=is_local,
    )


def _waiting(one: NetworkSetting, reason: str, hint: str) -> Network:
    return Network(
        name=one.name,
        interface=one.interface,
        address=one.address,
        allowed=one.allowed,
        is_local=bool(one.interface) or not one.subnet,
        waits=reason,
        hint=hint,
    )


def listenings(networks: Sequence[Network]) -> tuple[Listening, ...]:
    """The interfaces where requests are heard, those of networks without answers too."""
    ready = [one for one in networks if not one.waits]
    relayed = tuple(one for one in ready if one.relayed is not None)
    interfaces = dict.fromkeys(one.interface for one in ready if one.is_local)
    return tuple(
        Listening(
            interface,
            tuple(one for one in ready if one.is_local and one.interface == interface),
            relayed,
        )
        for interface in interfaces
    )


def serving_addresses(networks: Sequence[Network]) -> dict[str, str]:
    """Our addresses that machines load from, each with the one interface where they come in.

    The interface is empty where they come in at several, or where a route may bring them in at
    another one: relayed machines that are given an address of ours in another network.
    """
    ready = [one for one in networks if not one.waits]
    behind = [one for one in ready if one.allowed and not one.is_local]
    found: dict[str, str] = {}
    for one in ready:
        told_by_relay = any(not remote.address for remote in behind)
        if one.is_local and (one.allowed or told_by_relay):
            known = found.setdefault(one.address, one.interface)
            if known != one.interface:
                found[one.address] = ""
    return found | {one.address: "" for one in behind if one.address}


def summary(networks: Sequence[Network]) -> str:
    """What is served, as the end of a sentence: "the network behind eth0 as 10.0.0.2"."""
    served = [one for one in networks if one.state in {"serves", "behind relays"}]
    if len(served) == 1 and served[0].is_local:
        only = served[0]
        return f"the network behind {only.interface or only.address} as {only.address}"
    if not served:
        return "no network yet"
    return "the networks " + ", ".join(
        f"{one.interface or one.relayed or one.name} as {one.address}" if one.address else one.name
        for one in served
    )


def network_at(networks: Sequence[Network], ours: str, ip: str) -> Network | None:
    """The network of a machine at `ip` that asks us at our address `ours`."""
    client = IPv4Address(ip)
    ready = [one for one in networks if not one.waits]
    for one in ready:
        if one.relayed is not None and client in one.relayed:
            return one
    local = [one for one in ready if one.is_local and one.address == ours]
    near = (one for one in local if any(client in subnet for subnet in one.subnets))
    return next(near, local[0] if local else None)


def block_sizes(
    networks: Sequence[Network], ours: str, usual: Iterable[tuple[IPv4Network, int]]
) -> tuple[tuple[IPv4Network, int], ...]:
    """The largest TFTP block at our address `ours` by the clients' network.

    A network's own limit comes before the `usual` one of all networks, not before a usual one of
    a smaller network.
    """
    found = dict(usual)
    for one in networks:
        if one.waits or not one.block_size:
            continue
        if one.is_local and one.address == ours:
            found |= dict.fromkeys((_ALL, *one.subnets), one.block_size)
    for one in networks:
        if one.relayed is not None and one.block_size and not one.waits:
            found[one.relayed] = one.block_size
    return tuple(found.items())


_ALL = IPv4Network("0.0.0.0/0")
