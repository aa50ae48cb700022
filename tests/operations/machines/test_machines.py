import pytest

from netboot.boot.told.events import Discovered, PeOffline, PeReported
from netboot.daemons.projector import catch_up
from netboot.errors import InvalidInput, NotFound
from netboot.images.drivers.driver import DriverKind
from netboot.operations.machines import machines

MAC = "52:54:00:77:00:00"
DEVICES = "8086:1237:0600:11001af4 8086:100e:0200:11001af4"


def discovered(at, **more):
    return Discovered(
        at=at, mac=MAC, architecture="x86", firmware="bios", stage="ipxe", nic="8086:100e", **more
    )


def emit(site, *events):
    for event in events:
        site.journal.emit(event)
    assert site.journal.flush()
    catch_up(site)


def test_a_machine_is_known_from_its_first_request(site):
    """IPXE tells the card before anything was loaded."""
    emit(site, discovered(100.0))

    (machine,) = machines.list_machines(site)
    assert (machine.key, machine.source, machine.firmware) == (MAC, "ipxe", "bios")
    assert [(d.vendor, d.device) for d in machine.devices] == [("8086", "100E")]


def test_a_report_tells_all_devices_and_later_requests_do_not_forget_them(site):
    """What a boot image found outweighs what iPXE says."""
    emit(
        site,
        discovered(100.0),
        PeReported(
            at=110.0, mac=MAC, image="Lab PE x64", version=2, driver="e1000.inf",
            device="8086:100e", architecture="x64", devices=DEVICES,
        ),
        discovered(200.0),
    )  # fmt: skip

    (machine,) = machines.list_machines(site)
    assert (
        machine.source,
        len(machine.devices),
        machine.architecture,
        machine.image,
        machine.seen_at,
    ) == ("report", 2, "x64", "Lab PE x64", 200.0)


def test_an_offline_machine_is_known_by_its_console(site):
    """A test machine without a network cannot report; its serial console told its devices."""
    emit(
        site,
        PeOffline(
            at=1.0, mac=MAC, image="Lab PE x64", version=1, missing="net:8086:100e", devices=DEVICES
        ),
    )

    assert [machine.source for machine in machines.list_machines(site)] == ["report"]


def test_a_pasted_list_becomes_a_machine(site):
    """PNPDeviceIDs and lspci lines are read; what nobody understands is handed back."""
    found = machines.import_devices(
        site,
        "laptop pool",
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_225D17AA&REV_11\\3&11583659&0&FE\n"
        "Realtek 8168 gigabit VEN_10EC\n",
    )

    assert [(d.vendor, d.device) for d in found.machine.devices] == [("8086", "15BE")]
    assert len(found.unread) == 1
    assert [known.key for known in machines.list_machines(site)] == ["laptop pool"]


IDS_ALONE = r"""
PCI\VEN_8086&DEV_100E&SUBSYS_001E8086&REV_02\3&267A616A&0&18
PCI\VEN_8086&DEV_2922&SUBSYS_29228086&REV_02\3&267A616A&0&FA
PCI\VEN_8086&DEV_1237&SUBSYS_11001AF4&REV_02\3&267A616A&0&00
XENVIF\VEN_XP0001&DEV_NET&REV_08000009\0
SWD\PRINTENUM\1
what is this
"""
NAMES = {
    ("8086", "100E"): "82540EM Gigabit Ethernet Controller",
    ("8086", "2922"): "82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]",
    ("8086", "1237"): "440FX - 82441FX PMC [Natoma]",
}


@pytest.fixture
def named(monkeypatch):
    """pci.ids as these machines have it, installed or not."""
    monkeypatch.setattr(
        machines, "names_of", lambda wanted: {k: v for k, v in NAMES.items() if k in wanted}
    )


@pytest.mark.usefixtures("named")
def test_a_list_of_ids_alone_tells_what_is_guessed_and_what_was_left_out(site):
    """And the guess is kept with the list."""
    found = machines.import_devices(site, "pool", IDS_ALONE)

    assert found.unread == ("what is this",)
    assert found.left_out == ("SWD\\PRINTENUM",)
    assert [kind for _, kind in found.guessed] == [DriverKind.NETWORK, DriverKind.STORAGE]
    assert found.summary == (
        "pool has 4 devices: 1 for network, 1 for storage, 2 of unknown class."
    )
    remarks = " ".join(found.remarks)
    assert "82540EM Gigabit Ethernet Controller (network)" in remarks
    assert "1 of no use to a boot were left out: SWD\\PRINTENUM." in remarks
    assert "pnputil /enum-devices /connected" in remarks
    kept = machines.get_machine(site, "pool").devices
    assert [device.kind for device in kept] == [DriverKind.NETWORK, DriverKind.STORAGE, None, None]


@pytest.mark.usefixtures("named")
def test_a_list_with_classes_needs_no_guess(site):
    text = "Class,InstanceId\nNet,PCI\\VEN_8086&DEV_100E\\1\nHDC,PCI\\VEN_8086&DEV_2922\\2\n"
    found = machines.import_devices(site, "pool", text)

    assert (found.guessed, found.remarks) == ((), ())
    assert found.summary == "pool has 2 devices: 1 for network, 1 for storage."


def test_a_list_without_devices_is_refused(site):
    """One message that says what to paste."""
    with pytest.raises(InvalidInput, match="no device") as refusal:
        machines.import_devices(site, "empty", "hello\n")
    assert "lspci" in refusal.value.hint


def test_a_forgotten_machine_comes_back_when_it_boots(site):
    """Forgetting one that is not known is told."""
    emit(site, discovered(100.0))
    machines.list_machines(site)
    machines.forget(site, MAC)
    assert machines.list_machines(site) == []
    with pytest.raises(NotFound):
        machines.forget(site, MAC)
    emit(site, discovered(200.0))
    assert [machine.key for machine in machines.list_machines(site)] == [MAC]


def test_machines_that_a_check_made_up_are_not_taken_for_real(site):
    """`netboot check` asks as iPXE would, card and all."""
    emit(site, Discovered(at=1.0, mac="02:6e:62:00:00:01", architecture="x64", firmware="uefi",
                          stage="ipxe", nic="8086:100e"))  # fmt: skip

    assert machines.list_machines(site) == []


def test_machines_are_found_a_page_at_a_time(site):
    """Seen last first; by address, image, or a device in either spelling."""
    emit(
        site,
        *(
            PeReported(
                at=100.0 + number, mac=f"52:54:00:00:00:0{number}", image="PE", version=1,
                driver="d", device="e", devices=f"8086:100{number}",
            )
            for number in range(7)
        ),
    )  # fmt: skip

    def found(search="", limit=50, offset=0):
        shown, total = machines.find_machines(site, search, limit=limit, offset=offset)
        return [machine.key[-1] for machine in shown], total

    assert found(limit=2) == (["6", "5"], 7)
    assert found(limit=2, offset=6) == (["0"], 7)
    assert found("52-54-00-00-00-03") == (["3"], 1)
    assert found("8086:1004") == (["4"], 1)
    assert found("PCI\\VEN_8086&DEV_1004") == (["4"], 1)
    assert found("ven_8086&dev_1004") == (["4"], 1)
    assert found("pe")[1] == 7
    assert found("100%") == ([], 0)


def test_a_machine_is_given_the_loader_that_its_firmware_trusts(site):
    """Told to the point at once, and taken back; boots change nothing about it."""
    emit(site, discovered(100.0))
    known = machines.set_authority(site, MAC.upper().replace(":", "-"), "2023")
    assert (known.authority, dict(site.point.load().authorities)) == ("2023", {MAC: "2023"})
    emit(site, discovered(200.0))
    machines.import_devices(site, MAC, "PCI\\VEN_8086&DEV_100E")
    assert machines.get_machine(site, MAC).authority == "2023"

    assert machines.set_authority(site, MAC, "").authority == ""
    assert dict(site.point.load().authorities) == {}


def test_a_machine_that_is_forgotten_needs_no_loader_any_more(site):
    """The point is told."""
    emit(site, discovered(100.0))
    machines.set_authority(site, MAC, "2011")
    machines.forget(site, MAC)

    assert dict(site.point.load().authorities) == {}


def test_only_known_authorities_of_known_machines_are_taken(site):
    """A list of devices starts nothing."""
    emit(site, discovered(100.0))
    machines.import_devices(site, "new laptops", "PCI\\VEN_8086&DEV_100E")
    with pytest.raises(InvalidInput, match="does not sign boot loaders"):
        machines.set_authority(site, MAC, "2042")
    with pytest.raises(InvalidInput, match="list of devices"):
        machines.set_authority(site, "new laptops", "2023")
    with pytest.raises(NotFound):
        machines.set_authority(site, "52:54:00:00:00:99", "2023")
