"""What the settings ask of a network: `[[networks]]`, one by one and together.

`netboot.boot.networks` says what comes of it on this host.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SMALLEST_BLOCK, LARGEST_BLOCK = 512, 65464
"""Bytes of a TFTP block: RFC 1350's, and the most of RFC 2348."""

LONGEST_DELAY = 30.0
"""Seconds; firmware gives up after a minute of asking (PXE 2.1 §2.2.1)."""

_LONGEST_NAME = 15  # IFNAMSIZ without its NUL


class NetworkSetting(BaseModel):
    """One of the settings' `[[networks]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    interface: str = Field("", description="Network interface; a VLAN has its own, like eth0.20.")
    subnet: str = Field(
        "",
        description="The network itself, like 10.2.0.0/16: one of this server's interfaces has an"
        " address in it, or DHCP relays forward its requests.",
    )
    address: str = Field(
        "",
        description="IPv4 address of this server for machines in it; empty: that of the interface.",
    )
    allowed: bool = Field(default=True, description="Whether machines in it get answers.")
    block_size: int = Field(
        0, description="Largest TFTP block in bytes; the packet is 32 bytes larger. 0: no limit."
    )
    response_delay: float = Field(
        0.0,
        ge=0.0,
        le=LONGEST_DELAY,
        description="Seconds before a DISCOVER is answered, so that another boot server comes"
        " first. Firmware asks again after 4 seconds.",
    )
    only_known: bool = Field(
        default=False,
        description="Answer only machines with an image or a boot loader signer of their own.",
    )

    @field_validator("interface")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if len(value) > _LONGEST_NAME or any(one.isspace() or one in "/=" for one in value):
            raise ValueError(f"{value[:40]!r} is no name of a network interface")
        return value

    @field_validator("subnet")
    @classmethod
    def _is_network(cls, value: str) -> str:
        return str(IPv4Network(value)) if value else value

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return str(IPv4Address(value)) if value else value

    @field_validator("block_size")
    @classmethod
    def _is_block_size(cls, value: int) -> int:
        if value and not SMALLEST_BLOCK <= value <= LARGEST_BLOCK:
            raise ValueError(f"a block has {SMALLEST_BLOCK} to {LARGEST_BLOCK} bytes, not {value}")
        return value

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.name:
            raise ValueError("a network needs an interface or a subnet")
        return self

    def __str__(self) -> str:
        """As one line of a form; `read_line` is the inverse."""
        named = self.model_dump(exclude_defaults=True)
        return " ".join(f"{key}={_word(value)}" for key, value in named.items())

    @property
    def name(self) -> str:
        """What pages and messages call it; no two networks of a site have the same."""
        return " ".join(filter(None, (self.interface, self.subnet, self.address)))


def read_line(line: str) -> dict[str, str | bool | float]:
    """The values of a network that a form's line names: `interface=eth1 allowed=no`.

    Raises ValueError saying which word it is.
    """
    found: dict[str, str | bool | float] = {}
    for word in line.replace(",", " ").split():
        key, is_pair, value = word.partition("=")
        if not is_pair or key not in NetworkSetting.model_fields:
            known = ", ".join(NetworkSetting.model_fields)
            raise ValueError(f"{word[:40]!r} is not one of {known}, each like interface=eth1")
        kind = NetworkSetting.model_fields[key].annotation
        try:
            found[key] = _KINDS[kind](value) if kind in _KINDS else value
        except (KeyError, ValueError) as fault:
            raise ValueError(f"{word[:40]!r} has no such value") from fault
    return found


_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_KINDS: dict[object, Callable[[str], bool | int | float]] = {
    bool: lambda text: _BOOLEANS[text.lower()],
    int: int,
    float: float,
}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def clash(wanted: Sequence[NetworkSetting]) -> str:
    """What is wrong with these networks together, or ""."""
    for at, one in enumerate(wanted):
        for other in wanted[:at]:
            if (one.interface, one.subnet, one.address) == (
                other.interface, other.subnet, other.address,
            ):  # fmt: skip
                return f"there are two networks {one.name}"
            if one.subnet and other.subnet:
                if IPv4Network(one.subnet).overlaps(IPv4Network(other.subnet)):
                    return f"the networks {other.subnet} and {one.subnet} overlap"
            elif (
                one.interface
                and one.interface == other.interface
                and not (_which(one) and _which(other))
            ):
                return (
                    f"there are two networks on {one.interface}: give each an address or a subnet"
                )
    return ""


def _which(one: NetworkSetting) -> str:
    """Which of an interface's networks is meant, if the setting says so."""
    return one.subnet or one.address
