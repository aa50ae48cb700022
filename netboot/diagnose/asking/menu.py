"""PXE boot menus in option 43 (PXE 2.1 §2.2.3 and table 2-1), read without our own DHCP code."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_CONTROL, _MULTICAST, _SERVERS, _MENU, _PROMPT, _ITEM = 6, 7, 8, 9, 10, 71
_PAD, _END = 0, 255
_NO_BROADCAST, _NO_MULTICAST, _USE_FILE = 1, 2, 8
_WAITS_FOR_EVER: Final = 255
LOCAL_BOOT: Final = 0
"""The type of the menu item that ends network boot (PXE 2.1 §2.2.3)."""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One line of a menu; `type` is that of the boot server that has its program."""

    type: int
    text: str

    @property
    def is_local(self) -> bool:
        """Whether it leaves the network and starts the machine's own disk."""
        return self.type == LOCAL_BOOT

    @property
    def request(self) -> bytes:
        """Option 43 of the request for it: sub-option 71 with the type, and layer 0."""
        return bytes((_ITEM, 4)) + self.type.to_bytes(2, "big") + bytes((0, 0, _END))


@dataclass(frozen=True, slots=True)
class BootMenu:
    """What firmware shows, and where it looks for the server of an item.

    `seconds` until the first item is taken: 0 at once, 255 never, None shows the menu at once.
    """

    items: tuple[MenuItem, ...]
    servers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    seconds: int | None = None
    control: int = 0
    multicast: str = ""

    @property
    def waits_for_a_key(self) -> bool:
        """Whether nothing starts until somebody chooses."""
        return self.seconds == _WAITS_FOR_EVER or (self.seconds is None and len(self.items) > 1)

    def places(self, item: MenuItem) -> list[str]:
        """The addresses to ask for an item, in firmware's order; 255.255.255.255 asks all.

        A listed server is asked by unicast; otherwise multicast and broadcast, if allowed.
        """
        listed = list(self.servers.get(item.type, ()))
        if listed:
            return listed
        found = []
        if self.multicast and not self.control & _NO_MULTICAST:
            found.append(self.multicast)
        if not self.control & _NO_BROADCAST:
            found.append("255.255.255.255")
        return found


def read_menu(option: bytes) -> BootMenu | None:
    """The menu in option 43; None if there is none, or the file of the offer is to be taken."""
    parts = dict(_parts(option))
    control = parts.get(_CONTROL, b"\0")[:1] or b"\0"
    if _MENU not in parts or control[0] & _USE_FILE:
        return None
    items = tuple(_items(parts[_MENU]))
    if not items:
        return None
    prompt, multicast = parts.get(_PROMPT), parts.get(_MULTICAST, b"")
    return BootMenu(
        items=items,
        servers=dict(_servers(parts.get(_SERVERS, b""))),
        seconds=prompt[0] if prompt else None,
        control=control[0],
        multicast=socket.inet_ntoa(multicast) if len(multicast) == 4 else "",
    )


def _parts(option: bytes) -> Iterator[tuple[int, bytes]]:
    """Sub-options up to END; what runs past the end is left out, as firmware does."""
    position = 0
    while position + 1 < len(option) and option[position] != _END:
        if option[position] == _PAD:
            position += 1
            continue
        end = position + 2 + option[position + 1]
        if end > len(option):
            return
        yield option[position], option[position + 2 : end]
        position = end


def _items(value: bytes) -> Iterator[MenuItem]:
    position = 0
    while position + 3 <= len(value):
        end = position + 3 + value[position + 2]
        text = value[position + 3 : end].decode("ascii", errors="backslashreplace")
        yield MenuItem(int.from_bytes(value[position : position + 2], "big"), text)
        position = end


def _servers(value: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
    position = 0
    while position + 3 <= len(value):
        start = position + 3
        end = start + 4 * value[position + 2]
        if end > len(value):
            return
        addresses = (socket.inet_ntoa(value[at : at + 4]) for at in range(start, end, 4))
        yield int.from_bytes(value[position : position + 2], "big"), tuple(addresses)
        position = end
