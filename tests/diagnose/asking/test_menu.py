"""PXE boot menus are read as firmware reads them."""

import pytest

from netboot.diagnose.asking.menu import BootMenu, MenuItem, read_menu

# What dnsmasq 2.90 offers a BIOS PC for one `pxe-service`, and what a ROM then sends to port 4011.
OFFERED = bytes.fromhex("0601030a040050584508078000010a4d0002090a8000076e6574626f6f74ff")
REQUESTED = bytes.fromhex("470480000000ff")
LOCAL, RIS = MenuItem(0, "Local disk"), MenuItem(1, "RIS")


def test_a_menu_names_its_items_and_their_servers() -> None:
    item = MenuItem(0x8000, "netboot")
    menu = read_menu(OFFERED)

    assert menu == BootMenu((item,), {0x8000: ("10.77.0.2",)}, seconds=0, control=3)
    assert menu.places(item) == ["10.77.0.2"]
    assert item.request == REQUESTED


def test_two_items_with_two_servers() -> None:
    value = bytes.fromhex(
        "08 10 8000 02 0a000001 0a000002 8001 00 0000 00".replace(" ", "")
        + "09 0a 8000 01 41 8001 03 424344".replace(" ", "")
    )
    menu = read_menu(value + b"\xff")

    assert menu is not None
    assert menu.items == (MenuItem(0x8000, "A"), MenuItem(0x8001, "BCD"))
    assert menu.servers[0x8000] == ("10.0.0.1", "10.0.0.2")
    assert menu.waits_for_a_key


@pytest.mark.parametrize(
    ("control", "multicast", "places"),
    [
        (0, "", ["255.255.255.255"]),
        (0, "224.0.1.2", ["224.0.1.2", "255.255.255.255"]),
        (1, "224.0.1.2", ["224.0.1.2"]),
        (2, "224.0.1.2", ["255.255.255.255"]),
        (3, "224.0.1.2", []),
    ],
)
def test_an_item_without_a_server_is_looked_for_as_allowed(
    control: int, multicast: str, places: list[str]
) -> None:
    assert BootMenu((RIS,), control=control, multicast=multicast).places(RIS) == places


@pytest.mark.parametrize(
    "option",
    [
        b"",
        b"\xff",
        b"\x06\x01\x08\xff",
        b"\x06\x01\x08\x09\x04\x80\x00\x01A\xff",
        b"\x09\x02\x80\x00\xff",
        b"\x09\xff\x80",
        b"\x09",
    ],
)
def test_without_items_or_with_a_file_to_take_there_is_no_menu(option: bytes) -> None:
    assert read_menu(option) is None


@pytest.mark.parametrize(
    ("items", "seconds", "waits"),
    [
        ((RIS,), 0, False),
        ((RIS,), 10, False),
        ((RIS,), 255, True),
        ((RIS,), None, False),
        ((RIS, LOCAL), None, True),
    ],
)
def test_a_menu_starts_by_itself_or_waits(
    items: tuple[MenuItem, ...], seconds: int | None, *, waits: bool
) -> None:
    assert BootMenu(items, seconds=seconds).waits_for_a_key is waits
    assert (LOCAL.is_local, RIS.is_local) == (True, False)
