import subprocess
import sys
import time

import pytest

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import AddressLearned, DhcpStarted, OfferSent
from netboot.daemons.boot_services import TEXTS_KEPT, BootServices, CountReporter
from netboot.daemons.pin_relay import PinRelay, Promise
from netboot.errors import BlobMissing, ContentFault
from netboot.images.architecture import Architecture
from netboot.pe_reports import ReportTokens
from netboot.protocols.dhcp import MessageType
from netboot.store.media.boot_programs import prepare_programs
from tests.serve.conftest import Firmware
from tests.support.boot_requests import MAC as RAW_MAC
from tests.support.boot_requests import request
from tests.support.content import content_of, serve, version_of
from tests.support.netlab import Lan, needs_netns

ADDRESS = "10.77.0.2"
IP = "10.77.0.101"
MAC = "52:54:00:77:00:01"
NATIVE = (
    "pxeboot.n12",
    "bootmgr.exe",
    "bootmgfw.efi",
    "boot.sdi",
    "boot.wim",
    "BCD-bios",
    "BCD-uefi",
)


@pytest.fixture
def services(site):
    return BootServices(site, address=ADDRESS)


def native(site, number):
    """A version for Microsoft's loaders, served to x64 machines."""
    return serve(site, version_of(site, number, files=NATIVE, chains=("native",)))


def answered(version, *, file="pxeboot.n12", port=67, ip=IP, mac=MAC):
    """What the DHCP side tells when it has answered a machine."""
    return OfferSent(
        at=time.time(),
        mac=mac,
        ip=ip,
        file=file,
        image=version.image,
        version=version.number,
        port=port,
    )


def read(services, name, ip=IP):
    """The bytes that a machine gets under a name."""
    ref = services.resolve(name, ip)
    assert isinstance(ref, ContentRef), ref
    content = services.open_content(ref)
    try:
        return bytes(content.view)
    finally:
        content.close()


def test_a_boot_keeps_the_version_that_it_began_with(site, services):
    """After an update the running boot still gets version 1; the next DISCOVER gets version 2."""
    services.emit(answered(native(site, 1)))
    assert content_of("boot.wim", 1) == read(services, rb"\Boot\boot.wim")
    two = native(site, 2)

    assert content_of("BCD-bios", 1) == read(services, rb"\Boot\BCD")
    services.emit(answered(two, port=4011))
    assert content_of("boot.wim", 1) == read(services, rb"\Boot\boot.wim")
    services.emit(answered(two))
    assert content_of("boot.wim", 2) == read(services, rb"\Boot\boot.wim")


def test_the_version_that_was_answered_counts_even_where_the_point_moved_on(site, services):
    """Between the answer and its note the point may be updated: the machine was told of v1."""
    one = native(site, 1)
    native(site, 2)
    services.emit(answered(one))

    assert content_of("boot.wim", 1) == read(services, b"boot.wim")


def test_a_machine_is_known_by_the_address_that_it_takes(site, services):
    """The answer came before it had one: the DHCP REQUEST joins the two."""
    services.emit(answered(native(site, 1), ip=""))
    assert "no boot image is assigned" in services.resolve(b"boot.wim", IP).reason
    services.learn(MAC, IP)

    assert content_of("boot.wim", 1) == read(services, b"boot.wim")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pxeboot.n12", "BCD-bios"),
        ("bootmgfw.efi", "BCD-uefi"),
        ("http://10.77.0.2:8081/boot.ipxe?mac=x&platform=efi", "BCD-uefi"),
        ("http://10.77.0.2:8081/boot.ipxe?mac=x&platform=pcbios", "BCD-bios"),
    ],
)
def test_each_firmware_gets_its_own_boot_configuration(site, services, file, expected):
    """One name, two meanings: told by the program that the machine was given."""
    services.emit(answered(native(site, 1), file=file))

    for name in (rb"\Boot\BCD", b"BCD", rb"\EFI\Microsoft\Boot\BCD"):
        assert content_of(expected) == read(services, name)


@pytest.mark.parametrize(
    "name", [b"../../etc/passwd", b"/etc/passwd", b"secret", b"", b"\0", b"a" * 600, b"CON", b"x:y"]
)
def test_what_no_version_holds_is_refused_with_a_reason(site, services, name):
    """Whatever is asked for, there is no path behind it."""
    services.emit(answered(native(site, 1)))
    refusal = services.resolve(name, IP)

    assert isinstance(refusal, Refusal)
    assert refusal.reason


def test_a_stranger_gets_boot_programs_only(site, tmp_path):
    """Without an answer of ours no version is his; iPXE is everybody's."""
    native(site, 1)
    folder = tmp_path / "ipxe"
    folder.mkdir()
    for name in ("undionly.kpxe", "snponly.efi"):
        (folder / name).write_bytes(b"program " + name.encode())
    prepare_programs(site.point, [folder], ADDRESS)
    services = BootServices(site, address=ADDRESS)

    assert read(services, b"undionly.kpxe", "10.77.0.55") == b"program undionly.kpxe"
    assert isinstance(services.resolve(b"boot.wim", "10.77.0.55"), Refusal)
    assert content_of("boot.wim") == read(services, b"/v/lab-pe-x64/1/boot.wim", "10.77.0.55")


def test_grubs_menu_is_made_for_the_machine(site, services):
    """It boots the pinned version and carries a token that names machine and version."""
    x86 = serve(site, version_of(site, 5, image="Lab PE x86", architecture=Architecture.X86))
    services.emit(answered(x86, file="grubia32.efi"))
    serve(site, version_of(site, 6, image="Lab PE x86", architecture=Architecture.X86))
    menu = read(services, b"/grub/grub.cfg").decode()

    assert "(tftp,10.77.0.2)/v/lab-pe-x86/5/vmlinuz" in menu
    token = menu.split("/report/")[1].split()[0]
    assert ReportTokens(site.secret).read(token) == ("lab-pe-x86", 5, MAC)


def test_grub_without_a_pin_gets_the_default_or_the_reason_why_not(site, services):
    """A machine that was answered by nobody still reads something that makes sense."""
    assert b"no x86 boot image is published here" in read(services, rb"\grub\GRUB.CFG")
    serve(site, version_of(site, 5, image="Lab PE x86", architecture=Architecture.X86))

    assert b"/v/lab-pe-x86/5/vmlinuz" in read(services, b"grub/grub.cfg")


def test_menus_are_kept_while_they_are_read_and_not_for_ever(site, services):
    """Memory is bounded, and the newest ones are there."""
    serve(site, version_of(site, 5, image="Lab PE x86", architecture=Architecture.X86))
    refs = []
    for number in range(TEXTS_KEPT + 20):
        services.learn(f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", f"10.77.1.{number}")
        refs.append(services.resolve(b"grub/grub.cfg", f"10.77.1.{number}"))

    assert len(services._texts) == TEXTS_KEPT
    assert refs[-1].size == services.open_content(refs[-1]).size
    with pytest.raises(BlobMissing):
        services.open_content(refs[0])


def test_events_are_told_with_the_machine_that_they_are_about(site, services):
    """TFTP knows an address only; the journal reads whose it is."""
    services.learn(MAC, IP)
    services.emit(AddressLearned(at=1.0, ip=IP))

    assert site.journal.flush()
    (entry,) = site.journal.latest()
    assert (entry.event.mac, entry.event.ip) == (MAC, IP)


def test_a_damaged_point_is_told_at_the_start(site):
    """A daemon does not begin to serve what it cannot read."""
    site.point.pointer.write_text("{half")

    with pytest.raises(ContentFault, match="damaged"):
        BootServices(site, address=ADDRESS)


def test_a_lost_blob_is_our_fault_and_not_the_machines(site, services):
    """The name is known, its bytes are gone: that is not `file not found`."""
    version = native(site, 1)
    services.emit(answered(version))
    site.point.blobs.remove(version.file("boot.sdi").digest)

    with pytest.raises(BlobMissing, match=r"boot\.sdi"):
        read(services, b"boot.sdi")


def test_processes_share_what_was_promised(site):
    """The one that answers DHCP pins; one that serves TFTP knows it."""
    relay = PinRelay(1)
    answering = BootServices(site, address=ADDRESS, relay=relay)
    serving = BootServices(site, address=ADDRESS)
    answering.emit(answered(native(site, 1), ip=""))
    answering.learn(MAC, IP)
    native(site, 2)
    relay.receive(0, serving.take)

    assert content_of("boot.wim", 1) == read(serving, b"boot.wim")
    relay.close()


# --- the real process, in a network of its own ----------------------------------------------


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


def start_boot(site, lan):
    """`netboot boot` in a namespace that has our address; ready when it says so."""
    server = lan.host("srv", f"{ADDRESS}/24")
    command = [sys.executable, "-m", "netboot", "--data", str(site.data), "boot"]
    process = server.start(*command, "--interface", "eth0", "--address", ADDRESS)
    for line in process.stdout:
        if "boot.ready" in line:
            return process
    raise AssertionError("services ended before it was ready")


def boots(client, message=MessageType.DISCOVER, **fields):
    """A BIOS machine's packet, broadcast."""
    client.send(request(message=message, architecture=0, **fields))


def take_address(client):
    """The REQUEST for an address of the site's DHCP server, as everybody hears it."""
    options = {50: bytes(map(int, IP.split("."))), 54: bytes((10, 77, 0, 1))}
    boots(client, MessageType.REQUEST, options=options)


def fetch(machine, name, *, check=True):
    """Read by TFTP with curl, from the machine's namespace."""
    return machine.run("curl", "-s", "-m", "20", f"tftp://{ADDRESS}/{name}", check=check)


def fetched(machine, name, expected):
    """What curl gets, once it is `expected`: an address is learned a moment after it is told."""
    for _ in range(50):
        got = fetch(machine, name, check=False)  # until then there is no such file for it
        if got == expected:
            break
    return got


@needs_netns
@pytest.mark.netns
@pytest.mark.parametrize("processes", [1, 2])
def test_a_real_boot_over_the_wire_keeps_its_version(site, lan, processes):
    """DISCOVER, OFFER, TFTP; an update in between changes nothing until the next DISCOVER."""
    (site.data / "netboot.toml").write_text(f"tftp_workers = {processes}\n")
    native(site, 1)
    services = start_boot(site, lan)
    machine = lan.host("cli", f"{IP}/24")
    client = Firmware(machine)
    boots(client)
    offer, source = client.receive()
    take_address(client)

    assert source == (ADDRESS, 67)
    assert (offer.message_type, offer.mac) == (MessageType.OFFER, RAW_MAC)
    one, two = (content_of("boot.wim", number).decode() for number in (1, 2))
    assert one == fetched(machine, "boot.wim", one)
    native(site, 2)
    assert [one] * 6 == [fetch(machine, "Boot/boot.wim") for _ in range(6)]
    boots(client, xid=0x9999)
    client.receive()
    take_address(client)
    assert two == fetched(machine, "boot.wim", two)
    assert [two] * 6 == [fetch(machine, "boot.wim") for _ in range(6)]

    client.socket.close()
    services.terminate()
    assert services.wait(20) == 0
    kinds = [entry.event.kind for entry in site.journal.latest(1000)]
    (began,) = [one.event for one in site.journal.latest_of(DhcpStarted, limit=9)]
    assert (
        began.interface,
        began.address,
        began.ports,
        began.notes,
    ) == ("eth0", ADDRESS, "67, 4011", "")
    assert {"Discovered", "OfferSent", "AddressLearned", "TransferFinished"} <= set(kinds)
    told = {
        (entry.event.mac, entry.event.image)
        for entry in site.journal.latest(1000)
        if entry.event.kind == "TransferFinished"
    }
    assert {(MAC, "Lab PE x64")} == told


TFTPY = """
import sys, tftpy
client = tftpy.TftpClient(sys.argv[1], 69, {"blksize": 1468, "tsize": 0})
client.download(sys.argv[2], sys.argv[3])
"""


@needs_netns
@pytest.mark.netns
def test_tftpy_reads_what_we_serve_and_is_refused_what_we_do_not(site, lan, tmp_path):
    """An independent client: every byte right, an unknown name is error 1, a write is refused."""
    native(site, 1)
    start_boot(site, lan)
    machine = lan.host("cli", f"{IP}/24")
    here = tmp_path / "got"
    machine.run(sys.executable, "-c", TFTPY, ADDRESS, "v/lab-pe-x64/1/boot.wim", str(here))

    assert content_of("boot.wim") == here.read_bytes()
    refused = machine.run(
        sys.executable, "-c", TFTPY, ADDRESS, "no-such-file", str(here), check=False
    )
    assert "File not found" in refused or "file not found" in refused
    write = tmp_path / "write"
    write.write_text("x")
    put = machine.run("curl", "-s", "-S", "-T", str(write), f"tftp://{ADDRESS}/x", check=False)
    assert "curl: (69)" in put  # CURLE_TFTP_PERM: we answered with an access violation


@needs_netns
@pytest.mark.netns
def test_a_port_that_is_taken_is_told_with_who_has_it(site, lan):
    """The TFTP port of another program: one message, its name, exit code 2."""
    server = lan.host("srv", f"{ADDRESS}/24")
    holder = server.start(
        sys.executable, "-c",
        "import signal, socket; udp = socket.socket(2, 2); udp.bind(('', 69));"
        "print('held', flush=True); signal.pause()",
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    done = subprocess.run(
        ["ip", "netns", "exec", server.namespace, sys.executable, "-m", "netboot", "--data",
         site.data, "boot", "--interface", "eth0", "--address", ADDRESS],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert f"UDP port 69 of {ADDRESS} is taken by python" in done.stderr
    assert f"(process {holder.pid})" in done.stderr
    assert "  -> Stop that program" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_loads_a_versions_program_by_its_path_gets_that_versions_files(site):
    """iPXE looked at the processor and took the x86 loader: its BCD is x86's, in every process."""
    x64 = native(site, 1)
    x86 = version_of(
        site, 4, image="PE x86", architecture=Architecture.X86, files=NATIVE, chains=("native",)
    )
    serve(site, x86)
    relay = PinRelay(2)
    first, second = (BootServices(site, address=ADDRESS, relay=relay) for _ in range(2))
    for services in (first, second):
        services.take(Promise(MAC, IP, image=x64.image, number=1, firmware="bios", fresh=True))
    assert content_of("BCD-bios", 1) == read(second, rb"\Boot\BCD")

    read(first, b"/v/pe-x86/4/pxeboot.n12")
    relay.receive(1, second.take)

    for services in (first, second):
        assert content_of("BCD-bios", 4, "PE x86") == read(services, rb"\Boot\BCD")
        assert content_of("boot.wim", 4, "PE x86") == read(services, rb"\Boot\boot.wim")
    relay.close()


def test_a_machine_that_needs_the_loader_of_2023_gets_it_under_the_usual_name(site, services):
    """Its neighbour gets the other one, out of the same version."""
    files = (*NATIVE, "bootmgfw_EX.efi")
    version = serve(site, version_of(site, 1, files=files, chains=("native",)))
    site.point.publish_authorities(lambda: {MAC: "2023"})
    services.emit(answered(version, file="bootmgfw.efi"))
    services.emit(answered(version, file="bootmgfw.efi", ip="10.77.0.102", mac="52:54:00:77:00:02"))
    refs = [services.resolve(rb"\Boot\bootmgfw.efi", ip) for ip in (IP, "10.77.0.102")]

    assert [ref.name for ref in refs] == ["bootmgfw_EX.efi", "bootmgfw.efi"]


def test_what_came_in_is_told_when_it_has_changed():
    """Numbers that are 0 say nothing, and the same twice is no news."""
    counts, told = {"answered": 0, "ignored": 0}, []
    tell = CountReporter(told.append, "proxyDHCP", lambda: counts, process=3)
    for answered in (0, 2, 2, 5):
        counts["answered"] = answered
        tell(0.0)

    assert [(one.counts, one.process) for one in told] == [
        ('{"answered": 2}', 3),
        ('{"answered": 5}', 3),
    ]
    assert {"proxyDHCP"} == {one.service for one in told}


@pytest.mark.parametrize(
    "module", ["netboot.daemons.boot_services", "netboot.daemons.boot_http", "vm.standby"]
)
def test_a_service_that_needs_no_database_loads_none(module):
    """It is on the network in half the time, with some 25 MB less."""
    show = f"import sys, {module}; print({{'sqlalchemy', 'flask', 'elftools'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
