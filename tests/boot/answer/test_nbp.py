"""Which program a client is told to load."""

from dataclasses import replace

import pytest

from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.nbp import BootProgram, NoProgram, select
from netboot.boot.answer.policy import Choice
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion
from netboot.protocols.dhcp import Packet
from tests.support.boot_requests import ipxe, request, version

UUID = "00112233-4455-6677-8899-aabbccddeeff"
SITE = "http://10.77.0.2:8081"
NATIVE64 = version(chains=("native",), files=("bootmgfw.efi", "pxeboot.n12"))
NATIVE86 = version(Architecture.X86, chains=("native",), files=("bootmgfw.efi", "pxeboot.n12"))
WIMBOOT64 = version(chains=("wimboot",))
WIMBOOT86 = version(Architecture.X86, chains=("wimboot",))
LINUX64 = version(chains=("linux",))
LINUX86 = version(Architecture.X86, chains=("linux",))


def chosen(packet: Packet, *versions: ContentVersion) -> BootProgram | NoProgram:
    """The program for the sender of `packet` out of these candidates."""
    client = identify(packet)
    assert isinstance(client, BootClient)
    return select(
        client, Choice(versions, ()), server="10.77.0.2", http_port=8081, supplied=("wimboot",)
    )


@pytest.mark.parametrize(
    ("architecture", "candidate", "file"),
    [
        (0, LINUX64, "undionly.kpxe"),
        (0, WIMBOOT64, "undionly.kpxe"),
        (0, NATIVE64, "pxeboot.n12"),
        (0, LINUX86, "undionly.kpxe"),
        (0, NATIVE86, "pxeboot.n12"),
        (7, LINUX64, "snponly.efi"),
        (7, WIMBOOT64, "snponly.efi"),
        (7, NATIVE64, "bootmgfw.efi"),
        (9, LINUX64, "snponly.efi"),
        (6, LINUX86, "grubia32.efi"),
        (6, NATIVE86, "bootmgfw.efi"),
        (16, LINUX64, f"{SITE}/p/snponly.efi"),
        (16, WIMBOOT64, f"{SITE}/p/snponly.efi"),
        (15, LINUX86, f"{SITE}/p/grubia32.efi"),
    ],
)
def test_firmware_gets_the_program_of_the_images_chain(
    architecture: int, candidate: ContentVersion, file: str
) -> None:
    """A plain name by TFTP, a whole URL for HTTP boot."""
    program = chosen(request(architecture=architecture), candidate)

    assert isinstance(program, BootProgram)
    assert (program.file, program.version) == (file, candidate)


@pytest.mark.parametrize(
    ("architecture", "candidate", "reason"),
    [
        (
            6,
            WIMBOOT86,
            "Lab PE x86 v7: no program starts the wimboot chain on a 32-bit UEFI PC",
        ),
        (
            16,
            NATIVE64,
            "Lab PE x64 v7: its native chain needs PXE, this machine does HTTP boot",
        ),
        (7, version(chains=("native",)), "Lab PE x64 v7 has no bootmgfw.efi"),
        (7, version(chains=()), "Lab PE x64 v7 has no way to be started"),
    ],
)
def test_where_no_program_fits_the_reason_is_told(
    architecture: int, candidate: ContentVersion, reason: str
) -> None:
    """Each chain that was tried is named."""
    assert chosen(request(architecture=architecture), candidate) == NoProgram(reason)


def test_the_first_chain_that_this_firmware_can_do_is_taken() -> None:
    """The version lists its chains best first."""
    both = version(chains=("native", "linux"))
    program = chosen(request(architecture=7), both)

    assert isinstance(program, BootProgram)
    assert program.file == "snponly.efi"


def test_a_second_candidate_is_taken_where_the_first_cannot_be_started() -> None:
    """A BIOS has two candidates."""
    program = chosen(request(architecture=0), version(chains=("native",)), LINUX86)

    assert isinstance(program, BootProgram)
    assert program.version == LINUX86


def test_without_a_wimboot_the_reason_names_the_command() -> None:
    """Nobody supplied one, and the image can be started in no other way."""
    client = identify(request(architecture=0))
    assert isinstance(client, BootClient)
    refused = select(client, Choice((WIMBOOT64,), ()), server="10.77.0.2", http_port=8081)

    assert isinstance(refused, NoProgram)
    assert "netboot wimboot import" in refused.reason


def test_ipxe_looks_at_the_processor_before_microsofts_loader_is_named() -> None:
    """A BIOS with two images to choose from gets iPXE; with one, or by UEFI, the loader itself."""
    bios, uefi = request(architecture=0), request(architecture=7)
    programs = (
        chosen(bios, NATIVE64, NATIVE86),
        chosen(bios, NATIVE86),
        chosen(uefi, NATIVE64, NATIVE86),
    )

    assert [isinstance(one, BootProgram) and one.file for one in programs] == [
        *("undionly.kpxe", "pxeboot.n12", "bootmgfw.efi")
    ]


@pytest.mark.parametrize(
    ("preferred", "architecture", "file"),
    [
        ((("bios", "native"),), 0, "pxeboot.n12"),
        ((("bios", "native"),), 7, "snponly.efi"),
        ((("uefi", "native"),), 7, "bootmgfw.efi"),
        ((("uefi", "native"),), 16, f"{SITE}/p/snponly.efi"),
    ],
)
def test_the_chain_that_the_image_prefers_for_a_firmware_is_taken(
    preferred: tuple[tuple[str, str], ...], architecture: int, file: str
) -> None:
    """Where this firmware can do it; HTTP boot cannot do Microsoft's chain and gets the next."""
    files = ("bootmgfw.efi", "pxeboot.n12")
    both = replace(version(chains=("linux", "native"), files=files), preferred=preferred)
    program = chosen(request(architecture=architecture), both)

    assert isinstance(program, BootProgram)
    assert program.file == file


@pytest.mark.parametrize("candidate", [LINUX64, WIMBOOT64, NATIVE64])
def test_every_ipxe_gets_the_script(candidate: ContentVersion) -> None:
    """From a card, by undionly or by snponly: the chainload has no loop."""
    program = chosen(ipxe(), candidate)

    assert isinstance(program, BootProgram)
    assert program.file == f"{SITE}/boot.ipxe"


@pytest.mark.parametrize(
    ("packet", "query"),
    [
        (
            ipxe(),
            f"mac=52:54:00:77:00:01&platform=pcbios&nic=8086:100e&uuid={UUID}",
        ),
        (
            ipxe(architecture=7),
            f"mac=52:54:00:77:00:01&platform=efi&arch=x64&nic=8086:100e&uuid={UUID}",
        ),
    ],
)
def test_the_scripts_url_says_what_we_know_of_the_client(packet: Packet, query: str) -> None:
    """A BIOS client's width is not known, so `arch` is left out."""
    client = identify(packet)
    program = chosen(packet, LINUX64)
    assert isinstance(client, BootClient)
    assert isinstance(program, BootProgram)

    assert program.file_for(client) == f"{SITE}/boot.ipxe?{query}"


BOTH = replace(
    version(chains=("native",), files=("bootmgfw.efi", "bootmgfw_EX.efi")),
    uefi_loaders=(("2011", "bootmgfw.efi"), ("2023", "bootmgfw_EX.efi")),
)


@pytest.mark.parametrize(
    ("machine", "site", "certificate"),
    [
        ("", "", "Microsoft Windows Production PCA 2011"),
        ("", "2023", "Windows UEFI CA 2023"),
        ("2023", "2011", "Windows UEFI CA 2023"),
    ],
)
def test_the_reason_says_whose_loader_it_is(machine: str, site: str, certificate: str) -> None:
    """The name stays bootmgfw.efi; what it means is told."""
    client = identify(request(architecture=7))
    assert isinstance(client, BootClient)
    program = select(
        client,
        Choice((BOTH,), ()),
        server="10.77.0.2",
        http_port=8081,
        authority=machine,
        site_authority=site,
    )

    assert isinstance(program, BootProgram)
    assert program.file == "bootmgfw.efi"
    assert program.reason.endswith(f"for {certificate}")


def test_an_image_without_the_loader_that_a_machine_needs_is_not_given() -> None:
    """Secure Boot would stop it with less to say."""
    client = identify(request(architecture=7))
    assert isinstance(client, BootClient)
    refused = select(
        client, Choice((NATIVE64,), ()), server="10.77.0.2", http_port=8081, authority="2023"
    )

    assert isinstance(refused, NoProgram)
    assert "contains no UEFI boot loader signed by Windows UEFI CA 2023" in refused.reason
