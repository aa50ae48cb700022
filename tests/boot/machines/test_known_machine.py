"""What events tell of machines."""

from dataclasses import replace

import pytest

from netboot.boot.machines.known_machine import (
    IPXE,
    LIST,
    REPORT,
    device_list,
    machine_after,
    new_machine,
)
from netboot.boot.told.events import AddressLearned, Discovered, PeOffline, PeReported, ScriptServed
from netboot.errors import InvalidInput

MAC = "52:54:00:77:00:00"


def told(*events, known=None):
    """The machine after these events, one after another."""
    machines = {known.key: known} if known else {}
    for event in events:
        machine = machine_after(event, machines)
        if machine is not None:
            machines[machine.key] = machine
    return machines.get(MAC)


def discovered(at=1.0, mac=MAC, nic="8086:100e", architecture="x86"):
    return Discovered(
        at=at, mac=mac, architecture=architecture, firmware="bios", stage="ipxe", nic=nic
    )


def reported(at=2.0, devices="8086:100e:0200 8086:2922:0106", architecture="x64"):
    return PeReported(
        at=at, mac=MAC, image="PE", version=1, driver="d", device="e", devices=devices,
        architecture=architecture,
    )  # fmt: skip


def test_a_request_shows_a_machine_and_the_card_that_ipxe_names():
    """Its firmware's requests before that name none; they forget none either."""
    machine = told(discovered(), discovered(at=2.0, nic=""))

    assert (
        machine.key,
        machine.source,
        machine.seen_at,
        machine.firmware,
    ) == (MAC, IPXE, 2.0, "bios")
    assert [device.label for device in machine.devices] == ["8086:100E"]


def test_a_report_outweighs_requests_and_lists():
    """It names all devices; a report without any leaves what is known."""
    listed = replace(new_machine(MAC), told=device_list(LIST, ("10ec:8168",)), authority="2023")
    machine = told(discovered(), reported(), reported(at=3.0, devices=""), known=listed)

    assert (
        machine.source,
        len(machine.devices),
        machine.architecture,
        machine.image,
        machine.authority,
    ) == (REPORT, 2, "x64", "PE", "2023")
    assert machine.devices == told(reported(), discovered(at=9.0)).devices


def test_a_list_by_hand_is_not_replaced_by_a_card():
    """A request is news of the machine, not of its devices."""
    listed = replace(new_machine(MAC), told=device_list(LIST, ("10ec:8168",)))
    machine = told(discovered(at=7.0), known=listed)

    assert (LIST, 7.0, listed.told) == (machine.source, machine.seen_at, machine.told)


def test_a_machine_that_stays_offline_is_known_by_its_console():
    """A report that reaches us by another way counts as well."""
    event = PeOffline(at=1.0, mac=MAC, image="PE", version=1, missing="net:x", devices="8086:100e")

    assert (told(event).source, told(event).image) == (REPORT, "PE")


def test_a_script_that_looked_at_the_processor_knows_better_than_a_bios():
    """But it makes no machine known, and does not outweigh what a boot image told."""
    script = ScriptServed(at=1.5, mac=MAC, image="PE", version=1, architecture="x64")
    silent = replace(script, architecture="")

    assert told(discovered(), script).architecture == "x64"
    assert told(discovered(), script, discovered(at=2.0), silent).architecture == "x64"
    assert told(discovered(), reported(architecture="x86"), script).architecture == "x86"
    assert None is told(script)
    known = told(discovered(), script)
    assert None is machine_after(script, {MAC: known}), "nothing new is nothing to write"


def test_made_up_machines_and_other_events_show_nothing():
    """`netboot check` asks as machines do; what is sent to a machine says nothing new of it."""
    assert None is machine_after(discovered(mac="02:6e:62:00:00:01"), {})
    assert None is machine_after(discovered(mac=""), {})
    assert None is machine_after(AddressLearned(at=1.0, mac=MAC), {})


def test_machines_of_one_make_share_what_was_read():
    """A fleet has few makes, and their devices are read once each."""
    assert device_list(REPORT, ("8086:100e",)) is device_list(REPORT, ("8086:100e",))


def test_fate_changes_with_what_decides_and_not_with_being_seen():
    """Coverage of a fleet is kept while machines that it knows boot."""
    before, again = told(reported()), told(reported(), reported(at=9.0))
    other = told(reported(), reported(at=9.0, devices="1af4:1000:0200"))

    assert before.fate == again.fate
    assert before.fate != other.fate


def test_a_list_that_names_no_device_is_refused():
    """It comes from somebody who waits for the answer."""
    with pytest.raises(InvalidInput):
        device_list(LIST, ("hello",))
