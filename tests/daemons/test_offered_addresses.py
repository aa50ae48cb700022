"""Addresses that were offered a boot, from one process to another."""

import os
import socket
import time

import pytest

from netboot.boot.told.events import AddressLearned, OfferSent
from netboot.daemons import offered_addresses
from netboot.daemons.boot_services import BootServices
from netboot.daemons.offered_addresses import KEPT, OfferedAddresses, OfferedTo
from netboot.serve.udp import Loop
from tests.support.serving import looping


@pytest.fixture
def folder(tmp_path):
    """Deeper than the path of a Unix socket may be."""
    place = tmp_path / ("deep" * 30)
    place.mkdir()
    return place


def waits_for(condition):
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_other_process_knows_an_address_that_was_offered_a_boot(folder):
    loop = Loop()
    known, sender = OfferedAddresses(loop, folder), OfferedTo(folder)
    with looping(loop):
        sender.add("10.0.0.7")
        waits_for(lambda: known.holds("10.0.0.7"))

    assert not known.holds("10.0.0.8")


def test_an_offer_is_forgotten_after_half_an_hour(folder, monkeypatch):
    loop = Loop()
    known, sender = OfferedAddresses(loop, folder), OfferedTo(folder)
    with looping(loop):
        sender.add("10.0.0.7")
        waits_for(lambda: known.holds("10.0.0.7"))
    late = time.monotonic() + offered_addresses.HOLDS
    monkeypatch.setattr(time, "monotonic", lambda: late)

    assert not known.holds("10.0.0.7")


def test_nobody_who_listens_is_no_fault(folder):
    """And a process that starts again takes over the place of the one that died."""
    sender = OfferedTo(folder)
    sender.add("10.0.0.7")
    first = OfferedAddresses(Loop(), folder)
    loop = Loop()
    second = OfferedAddresses(loop, folder)
    with looping(loop):
        sender.add("10.0.0.8")
        waits_for(lambda: second.holds("10.0.0.8"))

    assert not first.holds("10.0.0.8")


def test_any_number_of_addresses_and_any_bytes_take_bounded_memory(folder):
    loop = Loop()
    known, sender = OfferedAddresses(loop, folder), OfferedTo(folder)
    stranger, place = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), os.open(folder, os.O_PATH)
    with looping(loop):
        for number in range(2 * KEPT):
            ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            sender.add(ip)
            if number % 50 == 0:
                waits_for(lambda ip=ip: sender.add(ip) or known.holds(ip))
        stranger.sendto(b"\xff" * 500, f"/proc/self/fd/{place}/{offered_addresses.SOCKET}")
        sender.add("10.200.0.1")
        waits_for(lambda: known.holds("10.200.0.1"))

    os.close(place)
    assert len(known._young) + len(known._old) <= KEPT


def test_dhcp_names_the_addresses_of_its_boot_clients(site):
    """By the REQUEST of a machine that was offered a boot, and by an answer on port 4011."""
    loop = Loop()
    known = OfferedAddresses(loop, site.data)
    services = BootServices(site, address="10.0.0.1")
    with looping(loop):
        services.emit(AddressLearned(at=time.time(), mac="52:54:00:00:00:01", ip="10.0.0.7"))
        services.emit(OfferSent(at=time.time(), ip="10.0.0.8", file="x", port=4011))
        waits_for(lambda: known.holds("10.0.0.7") and known.holds("10.0.0.8"))
