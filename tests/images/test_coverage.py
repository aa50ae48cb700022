"""netboot.images.coverage: what an image will bring up, before anything boots."""

from dataclasses import replace

from netboot.images.architecture import Architecture
from netboot.images.coverage import (
    LAB_PE_INBOX,
    WINDOWS_PE_INBOX,
    ImageDrivers,
    Machine,
    Status,
    inbox,
    size_on,
    wanted_ids,
)
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import (
    NETWORK_CLASS,
    SCSI_CLASS,
    Driver,
    DriverFile,
    DriverKind,
    Model,
)
from netboot.images.drivers.matching import DriverIndex

X64, X86 = Architecture.X64, Architecture.X86
NOTHING = DriverIndex(())


def cover(added, machines, *, architecture, inside=(), catalog=NOTHING, **more):
    index = DriverIndex((*added, *inside))
    return ImageDrivers(added, index, architecture, catalog=catalog, **more).cover(machines)


def driver(name, *ids, kind=DriverKind.NETWORK, enabled=True, size=1000):
    guid = {DriverKind.NETWORK: NETWORK_CLASS, DriverKind.STORAGE: SCSI_CLASS}.get(kind, "")
    return Driver(
        digest=f"sha256:{name}",
        name=name,
        inf_name=f"{name}.inf",
        provider="Acme",
        class_name="",
        class_guid=guid,
        version="1.0",
        date="2020-01-01",
        architectures=frozenset({X64}),
        models=tuple(Model(X64, name, (identifier,)) for identifier in ids),
        files=(DriverFile(f"{name}.sys", "sha256:x", size),),
        catalog_file="x.cat",
        enabled=enabled,
    )


E1000 = driver("e1000", "PCI\\VEN_8086&DEV_100E")
NETKVM = driver("netkvm", "PCI\\VEN_1AF4&DEV_1000", enabled=False)
VIOSTOR = driver("viostor", "PCI\\VEN_1AF4&DEV_1001", kind=DriverKind.STORAGE)

INTEL = Device("8086", "100E", class_code="0200")
VIRTIO = Device("1AF4", "1000", class_code="0200")
DISK = Device("1AF4", "1001", class_code="0100")
AHCI = Device("8086", "2922", class_code="010601")
IDE = Device("8086", "7010", class_code="0101")
SCREEN = Device("1234", "1111", class_code="0300")


def one(image, *devices, catalog=(), inside=()):
    found = cover(
        image,
        [Machine("pc", devices)],
        architecture=X64,
        inside=inside,
        catalog=DriverIndex(catalog),
    )
    return found.machines[0]


def test_network_and_storage():
    """One driver for each is enough; other devices are no matter."""
    machine = one([E1000, VIOSTOR], INTEL, DISK, SCREEN)
    assert (
        machine.network,
        machine.storage,
        machine.lacking,
        [device.device for device in machine.devices],
    ) == (Status.COVERED, Status.COVERED, (), [INTEL, DISK])


def test_a_lacking_device_and_its_fix():
    """The catalog's driver is offered, enabled or not."""
    machine = one([E1000], VIRTIO, DISK, catalog=[E1000, NETKVM, VIOSTOR])
    assert (machine.network, machine.storage) == (Status.LACKING, Status.LACKING)
    assert [
        (lack.fixes[0].driver.name, lack.fixes[0].driver.enabled) for lack in machine.lacking
    ] == [("netkvm", False), ("viostor", True)]


def test_one_of_two_cards_is_enough_to_boot():
    """The second card is still shown as lacking."""
    machine = one([E1000], INTEL, VIRTIO, catalog=[NETKVM])
    assert (
        machine.network,
        [lack.device for lack in machine.lacking],
    ) == (Status.COVERED, [VIRTIO])


def test_no_device_known_is_unknown():
    """A machine that named no disk is not lacking one."""
    assert one([E1000], INTEL).storage == Status.UNKNOWN


def test_what_windows_has_inside():
    """AHCI and IDE are Windows' own, a Lab PE has only IDE."""
    windows = one([], AHCI, IDE, inside=[inbox(WINDOWS_PE_INBOX, X64)])
    lab = one([], AHCI, IDE, inside=[inbox(LAB_PE_INBOX, X64)])
    assert (windows.lacking, [lack.device for lack in lab.lacking]) == ((), [AHCI])
    assert all("; signed;" in device.match.explanation for device in windows.devices)


def test_a_device_without_a_class_is_what_its_driver_is():
    """PNPDeviceIDs name no class: the driver that would take it tells."""
    unknown = Device("1AF4", "1000")
    machine = one([], unknown, Device("9999", "0001"), catalog=[NETKVM])
    assert [(unknown, DriverKind.NETWORK)] == [(d.device, d.kind) for d in machine.devices]
    assert machine.network == Status.LACKING


def test_the_driver_that_mends_most():
    """Counted over all machines, once for each device."""
    machines = [
        Machine("a", (VIRTIO, DISK)),
        Machine("b", (VIRTIO,)),
        Machine("c", (INTEL,)),
    ]
    found = cover([E1000], machines, architecture=X64, catalog=DriverIndex([NETKVM, VIOSTOR]))
    assert found.fixes == (((NETKVM, 2), (VIOSTOR, 1)))


def test_what_drivers_weigh():
    """Bytes on the image's architecture, machines that need it, and those that nobody needs."""
    unused = driver("unused", "PCI\\VEN_9999", size=5000)
    found = cover(
        [E1000, unused], [Machine("a", (INTEL,)), Machine("b", (INTEL,))], architecture=X64
    )
    assert [(weight.driver.name, weight.size, weight.machines) for weight in found.weights] == [
        ("e1000", 1000, ("a", "b")),
        ("unused", 5000, ()),
    ]
    assert [weight.driver.name for weight in found.unneeded] == ["unused"]
    assert cover([unused], [], architecture=X64).unneeded == ()


def test_what_may_be_needed_is_not_called_unneeded():
    """Where a machine's disks are not known, or the driver is for something else."""
    disk = driver("disk", "PCI\\VEN_9999", kind=DriverKind.STORAGE)
    video = driver("video", "PCI\\VEN_7777", kind=DriverKind.OTHER)
    half_known = cover([disk, video], [Machine("a", (INTEL,))], architecture=X64)
    known = cover([disk, video], [Machine("a", (INTEL, DISK))], architecture=X64)

    assert half_known.unneeded == ()
    assert [weight.driver.name for weight in known.unneeded] == ["disk"]


def test_the_size_on_an_architecture():
    """Files for the other architecture do not come along."""
    both = replace(
        E1000,
        files=(
            DriverFile("a.inf", "d", 10),
            DriverFile("x64.sys", "d", 100, frozenset({X64})),
            DriverFile("x86.sys", "d", 1000, frozenset({X86})),
        ),
    )
    assert (size_on(both, X64), size_on(both, X86)) == (110, 1010)


def test_the_ids_that_count():
    """Drivers that claim none of them change nothing."""
    machines = [Machine("a", (INTEL, DISK)), Machine("b", (INTEL,))]
    wanted = wanted_ids(machines)
    assert ("PCI\\VEN_8086&DEV_100E" in wanted, "PCI\\VEN_1AF4&DEV_1000" in wanted) == (True, False)
    shelf = [E1000, NETKVM, VIOSTOR]
    few = [d for d in shelf if wanted.intersection(d.hardware_ids)]
    assert few == [E1000, VIOSTOR]
    assert cover([], machines, architecture=X64, catalog=DriverIndex(shelf)) == cover(
        [], machines, architecture=X64, catalog=DriverIndex(few)
    )
