"""File names as clients ask for them, kindly and with malice."""

import itertools
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netboot.boot.files.names import (
    ContentRef,
    Refusal,
    names_of,
    normalise,
    resolve,
    resolve_url,
    starts_version,
    version_path,
)
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile, PublishedContent
from netboot.protocols import tftp

MANIFEST = (
    "boot.wim",
    "boot.wim.cpio",
    "vmlinuz",
    "initrd.gz",
    "boot.sdi",
    "bootmgfw.efi",
    "bootmgr.exe",
    "pxeboot.n12",
    "wgl4_boot.ttf",
    "BCD-bios",
    "BCD-uefi",
)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def make_version(image: str = "Lab PE x64", number: int = 7) -> ContentVersion:
    files = tuple(
        ManifestFile(name, digest(number * 100 + index), 1000 + index)
        for index, name in enumerate(MANIFEST)
    )
    return ContentVersion(image, number, Architecture.X64, "recipe", 0.0, files, ("linux",))


VERSION = make_version()
PROGRAMS = {
    name: ContentRef(name, digest(9000 + index), 70_000)
    for index, name in enumerate(("undionly.kpxe", "snponly.efi", "grubia32.efi", "grub/grub.cfg"))
}


def published(*versions: ContentVersion) -> PublishedContent:
    empty = PublishedContent.empty()
    return PublishedContent(
        1,
        MappingProxyType({version.image: version for version in versions}),
        MappingProxyType({(version.image, version.number): version for version in versions}),
        empty.defaults,
        empty.assignments,
    )


def ask(name: bytes, firmware: str = "bios") -> ContentRef | Refusal:
    return resolve(name, version=VERSION, firmware=firmware, programs=PROGRAMS)


def named(name: bytes, firmware: str = "bios") -> str:
    answer = ask(name, firmware)
    assert isinstance(answer, ContentRef), (name, answer)
    return answer.name


@pytest.mark.parametrize(
    "name",
    [
        rb"\Boot\BCD",
        rb"/\Boot\BCD",
        rb"\BCD",
        rb"BCD",
        rb"\EFI\Microsoft\Boot\BCD",
        rb"efi\microsoft\boot\bcd",
        rb"boot/bcd",
        rb"//boot/bcd",
        rb"x64\boot\BCD",
        rb"Boot\x64\Boot\BCD",
    ],
)
def test_every_name_of_the_boot_configuration_means_that_clients_own(name: bytes) -> None:
    """A BIOS client gets the BIOS one and a UEFI client the UEFI one, by whatever name."""
    assert [named(name, "bios"), named(name, "uefi")] == ["BCD-bios", "BCD-uefi"]


@pytest.mark.parametrize("firmware", ["UEFI", "uefi-http", "efi"])
def test_any_word_for_uefi_means_uefi(firmware: str) -> None:
    """The firmware's kind is read out of its name, whatever else that says."""
    assert named(rb"\Boot\BCD", firmware) == "BCD-uefi"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (rb"pxeboot.n12", "pxeboot.n12"),
        (rb"Boot\x64\PXEBOOT.N12", "pxeboot.n12"),
        (rb"Boot\x64\bootmgr.exe", "bootmgr.exe"),
        (rb"\bootmgr.exe", "bootmgr.exe"),
        (rb"bootmgfw.efi", "bootmgfw.efi"),
        (rb"EFI/Boot/bootmgfw.efi", "bootmgfw.efi"),
        (rb"\Boot\boot.sdi", "boot.sdi"),
        (rb"/Boot/Boot.SDI", "boot.sdi"),
        (rb"\Boot\boot.wim", "boot.wim"),
        (rb"\sources\boot.wim", "boot.wim"),
        (rb"/boot.wim.cpio", "boot.wim.cpio"),
        (rb"vmlinuz", "vmlinuz"),
        (rb"\Boot\Fonts\wgl4_boot.ttf", "wgl4_boot.ttf"),
        (rb"\EFI\Microsoft\Boot\Fonts\wgl4_boot.ttf", "wgl4_boot.ttf"),
        (rb"BCD-uefi", "BCD-uefi"),
        (rb"UNDIONLY.KPXE", "undionly.kpxe"),
        (rb"/grub/grub.cfg", "grub/grub.cfg"),
        (rb"p/snponly.efi", "snponly.efi"),
    ],
)
def test_loaders_find_their_files_where_they_look(name: bytes, expected: str) -> None:
    """Slashes, case and leading separators do not matter."""
    assert named(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        rb"\de-DE\bootmgfw.efi.MUI",
        rb"\EFI\Boot\de-DE\bootmgfw.efi.MUI",
        rb"\de-DE\EFI/Boot/bootmgfw.efi.MUI",
        rb"\de-DE\/v/lab-pe-x64/7/bootmgfw.efi.MUI",
        rb"/v/lab-pe-x64/7/de-DE/bootmgfw.efi.MUI",
    ],
)
@pytest.mark.parametrize("loader", ["2011", "2023"])
def test_a_boot_manager_finds_its_language(name: bytes, loader: str) -> None:
    """Below its folder, or before its whole name; that of the loader that goes by this name."""
    words = {
        year: ManifestFile(f"de-DE/{file}.mui", digest(year), 9)
        for year, file in ((2011, "bootmgfw.efi"), (2023, "bootmgfw_EX.efi"))
    }
    loaders = (("2011", "bootmgfw.efi"), ("2023", "bootmgfw_EX.efi"))
    newer = ManifestFile("bootmgfw_EX.efi", digest(9), 9)
    version = replace(VERSION, files=(*VERSION.files, newer, *words.values()), uefi_loaders=loaders)
    answer = resolve(
        name,
        version=version,
        firmware="uefi",
        programs=PROGRAMS,
        published=published(version),
        authority=loader,
    )

    assert isinstance(answer, ContentRef)
    assert words[int(loader)].digest == answer.digest


def test_a_language_that_is_not_held_is_told_so_at_once() -> None:
    """The manager starts without; a locale is no way to other files."""
    for name in (
        *(rb"\en-US\bootmgfw.efi.MUI", rb"\en-US\/v/lab-pe-x64/7/bootmgfw.efi.MUI"),
        rb"\en-US\/v/lab-pe-x64/7/boot.wim.mui",
    ):
        answer = resolve(
            name, version=VERSION, firmware="uefi", programs={}, published=published(VERSION)
        )
        assert Refusal("optional, not held", 1) == answer
    assert isinstance(ask(rb"\en-US\/v/lab-pe-x64/7/boot.wim"), Refusal)


def test_a_versions_file_says_which_version_it_is_of() -> None:
    """The answer carries digest, size, image and version for the log and for the check."""
    expected = ContentRef("boot.wim", digest(700), 1000, "Lab PE x64", 7)

    assert ask(rb"\Boot\boot.wim") == expected


def test_the_sites_own_programs_belong_to_no_image() -> None:
    """A boot program is answered without a version."""
    answer = resolve(b"undionly.kpxe", version=None, firmware="bios", programs=PROGRAMS)

    assert PROGRAMS["undionly.kpxe"] == answer


@pytest.mark.parametrize(
    "name",
    [
        rb"\boot.ini",
        rb"Boot\x64\boot.ini",
        rb"\hiberfil.sys",
        rb"\EFI\Microsoft\Boot\Policies\SbcpFlightToken.p7b",
        rb"\EFI\Microsoft\Boot\SiPolicy.p7b",
        rb"\EFI\Microsoft\Boot\Policies\UnlockToken.pol",
        rb"\EFI\Microsoft\Boot\boot.stl",
        rb"\EFI\Microsoft\Boot\Fonts\segoe_slboot.ttf",
        rb"/grub/x86_64-efi/command.lst",
        rb"autoexec.ipxe",
    ],
)
@pytest.mark.parametrize("version", [VERSION, None])
def test_a_probe_for_what_need_not_be_there_is_told_so(
    name: bytes, version: ContentVersion | None
) -> None:
    """It is refused with code 1, and the log does not take it for a fault."""
    answer = resolve(name, version=version, firmware="uefi", programs=PROGRAMS)

    assert Refusal("optional, not held", 1) == answer


def test_a_client_without_a_version_gets_no_image() -> None:
    """It is refused in words that say what is missing."""
    answer = resolve(rb"\Boot\BCD", version=None, firmware="bios", programs=PROGRAMS)

    assert Refusal("no boot image is assigned to this client", 1) == answer


def test_a_refusal_never_repeats_the_name_that_was_asked_for() -> None:
    """An ERROR text is a fixed sentence, so nobody can make us send what he likes."""
    answer = ask(b"%s%n<script>")

    assert Refusal("not a file of Lab PE x64 v7", 1) == answer


# --- malice -------------------------------------------------------------------------------

CANARY = b"etc/canary"
CLIMBS = (b"..", b"...", b".", b"....", b"%2e%2e", b"..%2f", b"..%5c", b"..%c0%af", b". .")
SEPARATORS = (b"/", b"\\", b"//", b"\\\\", b"/\\", b"\\/", b"/./")
STARTS = (b"", b"/", b"\\", b"boot/", b"Boot\\", b"C:\\", b"\\\\?\\C:\\", b"\\\\127.0.0.1\\c$\\")
ENDS = (CANARY, b"etc\\canary", CANARY + b"\x00.wim", CANARY + b"::$DATA")


def traversals() -> list[bytes]:
    """Climbing names: every start, separator, climb and end, once, twice and five times."""
    return [
        start + (climb + separator) * depth + end
        for start, separator, climb, end, depth in itertools.product(
            STARTS, SEPARATORS, CLIMBS, ENDS, (1, 2, 5)
        )
    ]


ODD_NAMES = [
    b"",
    b".",
    b"..",
    b"/",
    b"Boot",
    b"Boot/",
    b"f.bin\0/../../x",
    b"..\0/x",
    b"//127.0.0.1/x",
    b"file:///x",
    b"/proc/self/environ",
    rb"\proc\self\environ",
    b"/dev/zero",
    "boot\u2215bcd".encode(),
    "boot\uff0fbcd".encode(),
    b"CON",
    b"NUL",
    b"AUX.txt",
    b"boot/com1",
    b"lpt9.wim",
    b"boot.wim::$DATA",
    b"boot.wim.",
    b"boot.wim/",
    b"boot//bcd",
    b"boot/./bcd",
    b"a" * 255,
    b"a" * 256,
    b"a" * 4000,
    b"a/" * 2000,
    b"a/" * 16 + b"a",
    b"\x1b[31mboot.wim",
    b"-rf",
    b"|id",
    b"$(id)",
    b"`id`",
    b"../" * 64 + b"x",
]


@pytest.mark.parametrize("version", [VERSION, None])
def test_thousands_of_climbing_names_find_nothing(version: ContentVersion | None) -> None:
    """Each is refused; nothing is raised and nothing found."""
    names = [*traversals(), *ODD_NAMES]

    answers = [resolve(name, version=version, firmware="bios", programs=PROGRAMS) for name in names]

    assert len(names) >= 1000
    assert [
        pair for pair in zip(names, answers, strict=True) if not isinstance(pair[1], Refusal)
    ] == []


@pytest.mark.parametrize(
    "name",
    [b"../boot.wim", b"boot/../boot.wim", b"C:boot.wim", b"nul", b"boot.wim.", b"boot//bcd", b""],
)
def test_a_name_that_no_loader_would_send_is_an_access_violation(name: bytes) -> None:
    """Code 2 tells the log apart what is malice and what is merely missing."""
    answer = normalise(name)

    assert isinstance(answer, Refusal)
    assert answer.code == 2


def test_a_recorded_request_with_the_end_of_the_options_in_its_name_is_served() -> None:
    """What a ROM sends that takes option 67 with the END, 255, behind it."""
    packet = b"\0\1snponly.efi\xff\0octet\0blksize\x001468\0"
    request = tftp.from_bytes(packet)

    assert isinstance(request, tftp.ReadRequest)
    assert ask(request.name) == PROGRAMS["snponly.efi"]


@pytest.mark.parametrize(
    "junk",
    [b"\xff", b"\xff\xff\xff", b" ", b"   ", b"\r\n", b"\t", b"\x01", b"\x7f", b"\x80abc",
     b"\n../../etc/passwd", b" \xff", b"\xff boot", b" blksize=1468", b"\xff" * 300],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "held"), [(b"snponly.efi", "snponly.efi"), (b"\\Boot\\BCD", "BCD-bios"),
                       (b"/boot.wim", "boot.wim"), (b"v/lab-pe-x64/7/boot.wim", "boot.wim")],
)  # fmt: skip
def test_junk_after_a_name_is_cut_off(name: bytes, held: str, junk: bytes) -> None:
    found = resolve(
        name + junk,
        version=VERSION,
        firmware="bios",
        programs=PROGRAMS,
        published=published(VERSION),
    )

    assert isinstance(found, ContentRef)
    assert held == found.name


@pytest.mark.parametrize(
    "name",
    [b"revocations.efi\xff", b"\xff", b" ", b"\x01\x02", b"\xffsnponly.efi", b"x" * 256,
     b"nothing at all", b"boot/\xff", b"a/" * 16 + b"a"],
)  # fmt: skip
def test_a_name_that_is_unknown_without_its_junk_gets_error_1(name: bytes) -> None:
    """Older shims take ERROR 2 for a denial, and do not fall back."""
    answer = ask(name)

    assert isinstance(answer, Refusal)
    assert answer.code == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a" * 255, "a" * 255),
        (b"/\\/\\Boot\\BCD", "boot/bcd"),
        (b"/".join([b"a"] * 16), "/".join(["a"] * 16)),
        (b"com10", "com10"),
        (b"console.efi", "console.efi"),
        (b"my file.bin", "my file.bin"),
    ],
)
def test_names_at_the_edge_are_still_names(name: bytes, expected: str) -> None:
    """255 bytes, 16 parts, and words that only look like devices are taken."""
    assert normalise(name) == expected


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_any_bytes_are_refused_or_mean_a_published_file(name: bytes) -> None:
    """Look-up is a pure function into the version and the programs."""
    answer = ask(name)

    assert answer == ask(name)
    assert isinstance(answer, Refusal) or answer.name in {*MANIFEST, *PROGRAMS}


@given(
    st.sampled_from([*MANIFEST, *PROGRAMS]),
    st.lists(st.sampled_from(["/", "\\"]), max_size=4),
    st.randoms(use_true_random=False),
)
def test_separators_and_case_never_change_what_a_name_means(
    name: str, leading: list[str], random: Random
) -> None:
    """A name means the same with any leading separators and in any case."""
    spelled = "".join(random.choice([letter.upper(), letter.lower()]) for letter in name)

    assert name == named(("".join(leading) + spelled).encode())


# --- URLs ---------------------------------------------------------------------------------


def test_a_url_names_the_version_whatever_is_current() -> None:
    """Running boots keep the version that they began with."""
    old, new = make_version(number=6), make_version(number=7)
    content = PublishedContent(
        2,
        MappingProxyType({new.image: new}),
        MappingProxyType({(old.image, 6): old, (new.image, 7): new}),
        MappingProxyType({}),
        MappingProxyType({}),
    )

    answers = [
        resolve_url(version_path(version, "boot.wim"), content, PROGRAMS) for version in (old, new)
    ]

    assert [
        ContentRef("boot.wim", digest(600), 1000, old.image, 6),
        ContentRef("boot.wim", digest(700), 1000, new.image, 7),
    ] == answers


def test_a_version_path_works_over_tftp_too() -> None:
    """A script may name a version's files exactly, however the client is pinned."""
    other = make_version("Rescue", 3)

    answer = resolve(
        b"/v/rescue/3/vmlinuz",
        version=VERSION,
        firmware="bios",
        programs=PROGRAMS,
        published=published(VERSION, other),
    )

    assert ContentRef("vmlinuz", digest(302), 1002, "Rescue", 3) == answer


def test_uefi_firmware_that_loads_by_http_gets_its_boot_configuration() -> None:
    """bootmgfw asks for its configuration relative to where it came from."""
    answer = resolve_url("/v/lab-pe-x64/7/EFI/Microsoft/Boot/BCD", published(VERSION), PROGRAMS)

    assert isinstance(answer, ContentRef)
    assert answer.name == "BCD-uefi"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v/lab-pe-x64/8/boot.wim", "version 8 of lab-pe-x64 is not held here"),
        ("/v/lab-pe-x64/7/nothing", "not a file of Lab PE x64 v7"),
        ("/v/lab-pe-x64/7/nothing \u0667", "not a file of Lab PE x64 v7"),
        ("/v/lab-pe-x64/seven/boot.wim", "not the name of a version's file"),
        ("/v/lab-pe-x64/7", "not the name of a version's file"),
        ("/p/nothing.efi", "no such boot program"),
        ("/boot.wim", "no such address"),
        ("/v/lab-pe-x64/7/../8/boot.wim", "a name that leaves its folder"),
        ("/v/lab-pe-x64/\u0667/boot.wim", "a name that is not printable ASCII"),
        ("/v/\udcff", "a name that is not printable ASCII"),
    ],
)
def test_a_url_that_means_nothing_is_refused_in_words(path: str, reason: str) -> None:
    """The reason goes to the log and to the page."""
    answer = resolve_url(path, published(VERSION), PROGRAMS)

    assert isinstance(answer, Refusal)
    assert reason == answer.reason


def test_junk_after_the_name_in_a_url_is_cut_off() -> None:
    for junk in (" ", "\xff", "\xff\xff x"):
        answer = resolve_url(f"/v/lab-pe-x64/7/boot.wim{junk}", published(VERSION), PROGRAMS)

        assert isinstance(answer, ContentRef)
        assert answer.name == "boot.wim"


def test_a_boot_program_has_a_url() -> None:
    """`/p/` leads to the site's own programs."""
    assert PROGRAMS["snponly.efi"] == resolve_url("/p/snponly.efi", published(), PROGRAMS)


def test_two_images_with_one_slug_are_refused_rather_than_confused() -> None:
    """Nobody gets the wrong image because two names look alike."""
    content = published(make_version("Lab PE", 1), make_version("lab-pe", 1))

    answer = resolve_url("/v/lab-pe/1/boot.wim", content, PROGRAMS)

    assert Refusal("Lab PE and lab-pe have the same short name; rename one of them") == answer


def test_the_names_of_a_version_are_worked_out_once() -> None:
    """The dictionary is kept, because a loader asks thirty times a boot."""
    assert names_of(VERSION, "bios") is names_of(VERSION, "bios")


@pytest.mark.parametrize(
    ("name", "firmware", "expected"),
    [
        (rb"boot\x64\wdsnbp.com", "bios", "pxeboot.n12"),
        (rb"SMSBoot\x64\pxeboot.com", "bios", "pxeboot.n12"),
        (rb"smsboot\x64\bootmgr.exe", "bios", "bootmgr.exe"),
        (rb"boot\x64uefi\wdsmgfw.efi", "uefi", "bootmgfw.efi"),
        (rb"\smsboot\x64\boot\BCD", "bios", "BCD-bios"),
    ],
)
def test_names_that_other_boot_servers_gave_lead_to_the_loader(
    name: bytes, firmware: str, expected: str
) -> None:
    """A DHCP server may still name what Windows Deployment Services or ConfigMgr served."""
    assert named(name, firmware) == expected


def test_a_program_that_the_image_holds_is_itself() -> None:
    """pxeboot.com asks for F12 where pxeboot.n12 does not: whoever publishes it, means it."""
    held = replace(VERSION, files=(*VERSION.files, ManifestFile("pxeboot.com", digest(77), 25_000)))
    answer = resolve(rb"x64\pxeboot.com", version=held, firmware="bios", programs={})

    assert isinstance(answer, ContentRef)
    assert answer.name == "pxeboot.com"


@pytest.mark.parametrize(
    "name",
    [
        *(b"/v/lab-pe-x64/7/boot.wim", b"pxeboot.n12", b"/v/lab-pe-x64/7/x/pxeboot.n12"),
        b"/v/../7/pxeboot.n12",
    ],
)
def test_a_version_begins_with_its_boot_program(name: bytes) -> None:
    """Only a boot program that is asked for by its version's own path starts that version."""
    assert starts_version(rb"\V\lab-pe-x64\7\BOOTMGFW.EFI")
    assert starts_version(b"/v/lab-pe-x64/7/pxeboot.n12")
    assert not starts_version(name)


def test_a_program_that_the_administrator_brought_is_served_to_all() -> None:
    """Wimboot, by URL and by TFTP; it stands before one of the site's own of that name."""
    content = replace(
        published(VERSION),
        supplied=MappingProxyType({"wimboot": ManifestFile("wimboot", digest(5), 70_000)}),
    )
    own = {"wimboot": ContentRef("wimboot", digest(6), 1)}
    by_tftp = resolve(b"wimboot", version=None, firmware="", programs=own, published=content)

    assert by_tftp == resolve_url("/p/wimboot", content, own)
    assert by_tftp == ContentRef("wimboot", digest(5), 70_000)


BOTH = replace(
    VERSION,
    files=(
        ManifestFile("bootmgfw.efi", "sha256:" + "1" * 64, 11),
        ManifestFile("bootmgfw_EX.efi", "sha256:" + "3" * 64, 23),
    ),
    uefi_loaders=(("2011", "bootmgfw.efi"), ("2023", "bootmgfw_EX.efi")),
)


@pytest.mark.parametrize(
    "name", [b"bootmgfw.efi", rb"\Boot\x64\BOOTMGFW.EFI", b"/v/lab-pe-x64/7/bootmgfw.efi"]
)
@pytest.mark.parametrize(
    ("machine", "image", "site", "size"),
    [("", "", "", 11), ("", "", "2023", 23), ("2011", "2023", "2023", 11), ("2023", "", "", 23)],
)
def test_the_loader_that_was_chosen_is_served_as_bootmgfw(
    name: bytes, machine: str, image: str, site: str, size: int
) -> None:
    """Under every name by which it is asked for; its twin keeps its own name."""
    held = replace(BOTH, authority=image)
    options: dict[str, Any] = {
        "version": held,
        "firmware": "uefi",
        "programs": {},
        "published": published(held),
        "authority": machine,
        "site_authority": site,
    }
    answer = resolve(name, **options)
    twin = resolve(b"bootmgfw_EX.efi", **options)

    assert isinstance(answer, ContentRef)
    assert isinstance(twin, ContentRef)
    assert (size, 23) == (answer.size, twin.size)


def test_a_machine_whose_loader_is_not_held_gets_none() -> None:
    """Secure Boot would refuse the other one."""
    only = replace(BOTH, files=BOTH.files[:1], uefi_loaders=BOTH.uefi_loaders[:1])
    answer = resolve(b"bootmgfw.efi", version=only, firmware="uefi", programs={}, authority="2023")

    assert isinstance(answer, Refusal)
