"""Builds: what lies in the image afterwards, that builds are equal, and how they fail."""

import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.errors import ContentFault, DigestMismatch, OperatorFault
from netboot.formats import cpio
from netboot.formats.bcd import BOOT_MANAGER, LOADER
from netboot.formats.sdi import build_sdi
from netboot.formats.wim.wim import WimFlag
from netboot.images.boot_image.boot_image import BootImage, SourceWim, recipe_digest, with_driver
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import ExtraFile, Properties
from netboot.images.servicing.plan import plan
from netboot.store.content.blobs import hash_file
from netboot.store.foreign.confinement import Limits
from netboot.store.wim import builder as wim_builder
from netboot.store.wim.builder import BuiltFiles, build
from netboot.store.wim.inspector import inspect
from tests.samples.drivers import BlobFolder, make_driver
from tests.samples.hostile_wims import with_flags
from tests.samples.synthetic_winpe import SyntheticWinPe, imagex, pe_file

pytestmark = pytest.mark.wimlib


class Bench:
    """A source, its facts, blobs, and a way to build."""

    def __init__(self, folder: Path, winpe: SyntheticWinPe) -> None:
        self.folder = folder
        self.source = winpe.capture(folder)
        self.facts = inspect(self.source, workdir=folder)
        self.blobs = BlobFolder(folder / "blobs")
        self._count = 0

    def image(self, *, properties: Properties | None = None) -> BootImage:
        """An image with two drivers."""
        blob = hash_file(self.source)
        image = BootImage(
            "PE x64",
            "pe-x64",
            self.facts.architecture,
            SourceWim(blob.digest, blob.size, self.facts.index),
            properties=properties or Properties(),
        )
        for name, kind in (("netkvm", "Net"), ("vioscsi", "SCSIAdapter")):
            driver = make_driver(
                name,
                class_name=kind,
                blobs=self.blobs,
                architecture=self.facts.architecture,
            )
            image = with_driver(image, driver)
        return image

    def build(self, image: BootImage, facts: ImageFacts | None = None) -> BuiltFiles:
        """Version 7 of the image."""
        self._count += 1
        workdir = self.folder / f"build{self._count}"
        workdir.mkdir()
        facts = facts or self.facts
        return build(
            source=self.source,
            facts=facts,
            plan=plan(facts, image, 7),
            driver_files=self.blobs.path,
            workdir=workdir,
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), SyntheticWinPe())


@pytest.fixture(scope="module")
def built(bench: Bench) -> BuiltFiles:
    return bench.build(bench.image())


def extracted(built: BuiltFiles, path: str) -> bytes:
    """A file of the built image, by wimlib-imagex."""
    wim = built.file("boot.wim")
    assert wim is not None
    return subprocess.run(
        ["wimlib-imagex", "extract", wim.path, "1", path, "--to-stdout"],
        check=True,
        capture_output=True,
        env={**os.environ, "WIMLIB_IMAGEX_IGNORE_CASE": "1"},
    ).stdout


def listing(built: BuiltFiles) -> set[str]:
    wim = built.file("boot.wim")
    assert wim is not None
    return set(imagex("dir", wim.path).split("\n"))


def test_drivers_lie_in_the_image(bench: Bench, built: BuiltFiles):
    """Every file of every package, byte for byte, in its folder; storage comes first."""
    folders = {"vioscsi": "0001-vioscsi", "netkvm": "0002-netkvm"}
    for driver in bench.image().drivers:
        for file in driver.files:
            path = f"/Windows/BootDrivers/{folders[driver.name]}/{file.path}"
            assert bench.blobs.path(file.digest).read_bytes() == extracted(built, path)


def test_the_start_script_loads_them(built: BuiltFiles):
    """startnet.cmd calls nb-start.cmd, which loads storage, then network, then wpeinit."""
    assert b"nb-start.cmd" in extracted(built, "/Windows/System32/startnet.cmd")
    lines = extracted(built, "/Windows/System32/nb-start.cmd").decode().split("\r\n")
    commands = [line.split(" >>")[0] for line in lines if line.startswith(("drvload", "wpeinit"))]
    assert commands == [
        r'drvload "%SystemRoot%\BootDrivers\0001-vioscsi\vioscsi.inf"',
        r'drvload "%SystemRoot%\BootDrivers\0002-netkvm\netkvm.inf"',
        "wpeinit",
    ]


def test_the_image_knows_who_it_is(bench: Bench, built: BuiltFiles):
    """nb-image.ini has name, number and recipe."""
    text = extracted(built, "/Windows/System32/nb-image.ini").decode()

    assert "image=PE x64\r\n" in text
    assert "version=7\r\n" in text
    assert f"build={recipe_digest(bench.image())}\r\n" in text


def test_wimlib_finds_the_result_in_order(built: BuiltFiles):
    """The other program verifies it; it is bootable; nothing else was lost."""
    wim = built.file("boot.wim")
    assert wim is not None
    imagex("verify", wim.path)
    assert "Boot Index:     1" in imagex("info", wim.path)
    assert {"/Windows/System32/config/SYSTEM", "/Windows/INF/usbstor.inf"} <= listing(built)


def test_clients_get_all_they_need(bench: Bench, built: BuiltFiles):
    """Boot files as they lie in the source, both stores, sizes and digests right."""
    assert built.chains == ("native", "wimboot")
    assert {file.name for file in built.files} == {
        *("boot.wim", "boot.sdi", "bootmgfw.efi", "bootmgr.exe", "pxeboot.n12"),
        *("BCD-bios", "BCD-uefi", "Fonts/wgl4_boot.ttf", "Fonts/segoe_slboot.ttf"),
    }
    for file in built.files:
        blob = hash_file(file.path)
        assert (blob.digest, blob.size) == (file.digest, file.size)
    sdi = built.file("boot.sdi")
    assert sdi is not None
    assert sdi.path.read_bytes() == extracted(built, "/windows/boot/dvd/pcat/boot.sdi")


@pytest.mark.parametrize(
    ("locale", "languages"), [("", ("de-DE",)), ("de-DE", ()), ("fr-FR", ("de-DE",))]
)
def test_boot_managers_speak_the_language_of_the_image(
    tmp_path: Path, locale: str, languages: tuple[str, ...]
):
    """The locale of both stores, and the language files for it, which lie in the image."""
    words = b"stand-in: German words " * 40
    files = {
        "/Windows/Boot/EFI/de-DE/bootmgfw.efi.mui": words,
        "/Windows/Boot/EFI/ja-JP/bootmgfw.efi.mui": words[::-1],
        "/Windows/Boot/PXE/de-DE/bootmgr.exe.mui": words * 2,
    }
    bench = Bench(tmp_path, SyntheticWinPe(files=files))
    facts = replace(bench.facts, languages=languages)
    built = bench.build(bench.image(properties=Properties(locale=locale)), facts)

    held = {file.name: file.path.read_bytes() for file in built.files if "/" in file.name}
    assert words == held["de-DE/bootmgfw.efi.mui"]
    assert words * 2 == held["de-DE/bootmgr.exe.mui"]
    assert not any(name.startswith("ja") for name in held)
    for name in ("BCD-bios", "BCD-uefi"):
        store = built.file(name)
        assert store is not None
        for identity in (BOOT_MANAGER, LOADER):
            key = f"Objects\\{{{identity}}}\\Elements\\12000005"
            done = subprocess.run(
                ["hivexget", store.path, key, "Element"], check=True, capture_output=True, text=True
            )
            assert done.stdout.strip() == "de-DE"


def test_two_builds_are_the_same_bytes(bench: Bench):
    """Independent builds of one recipe, with hives edited, give equal digests."""
    properties = Properties(
        scratch_space_mb=512,
        keyboard="00000407",
        prestart_command="x.cmd",
        extra_files=(ExtraFile("/Tools/New Folder/a.exe", bench.blobs.add(b"tool"), 4),),
    )
    image = bench.image(properties=properties)

    first, second = bench.build(image), bench.build(image)

    digests = [{file.name: file.digest for file in made.files} for made in (first, second)]
    assert digests[0] == digests[1]
    wim, other = first.file("boot.wim"), second.file("boot.wim")
    assert wim is not None
    assert other is not None
    assert wim.path.read_bytes() == other.path.read_bytes()


def test_the_source_is_untouched(bench: Bench):
    """Its bytes are what they were."""
    before = hash_file(bench.source)
    bench.build(bench.image())

    assert before == hash_file(bench.source)


def test_another_number_is_another_image(bench: Bench):
    """The version's number is inside."""
    made = [plan(bench.facts, bench.image(), number) for number in (1, 2)]

    assert made[0] != made[1]


def test_properties_lie_in_the_image(bench: Bench, tmp_path: Path):
    """Hives by hivexget, files by wimlib-imagex."""
    picture = b"\xff\xd8\xff\xe0 another picture"
    properties = Properties(
        scratch_space_mb=512,
        keyboard="00000407",
        locale="de-DE",
        background=bench.blobs.add(picture),
        prestart_command=r"X:\Tools\ask.cmd",
        command_shell=True,
        extra_files=(ExtraFile("/Tools/ask.cmd", bench.blobs.add(b"echo?"), 5),),
    )
    built = bench.build(bench.image(properties=properties))

    assert picture == extracted(built, "/Windows/System32/winpe.jpg")
    assert extracted(built, "/Tools/ask.cmd") == b"echo?"
    script = extracted(built, "/Windows/System32/nb-start.cmd").decode()
    assert script.endswith("wpeinit\r\ncall X:\\Tools\\ask.cmd\r\n")
    assert "cmd.exe /k" in script
    for hive, key, name, expected in (
        ("SYSTEM", "ControlSet001\\Services\\FBWF", "WinPECacheThreshold", "512"),
        ("DEFAULT", "Keyboard Layout\\Preload", "1", "00000407"),
        ("DEFAULT", "Control Panel\\International", "LocaleName", "de-DE"),
    ):
        path = tmp_path / hive
        path.write_bytes(extracted(built, f"/Windows/System32/config/{hive}"))
        found = subprocess.run(
            ["hivexget", path, key, name], check=True, capture_output=True, text=True
        )
        assert found.stdout.strip() == expected


def test_a_lab_pe_gets_its_kernel_and_its_archive(tmp_path: Path):
    """Chain "linux": kernel, initrd, and the WIM as a cpio archive that unpacks to it."""
    files = {
        "/Windows/Boot/LabPE/vmlinuz": pe_file("x86", b"kernel" * 99),
        "/Windows/Boot/LabPE/initrd.gz": b"\x1f\x8b initrd",
        "/Windows/Boot/EFI/bootmgfw.efi": None,
    }
    bench = Bench(tmp_path, SyntheticWinPe(architecture="x86", files=files))

    built = bench.build(bench.image())

    assert built.chains == ("linux", "native")
    names = {file.name for file in built.files}
    assert {"vmlinuz", "initrd.gz", "boot.wim.cpio", "BCD-bios"} <= names
    assert "BCD-uefi" not in names
    wim, archive = built.file("boot.wim"), built.file("boot.wim.cpio")
    assert wim is not None
    assert archive is not None
    data = wim.path.read_bytes()
    expected = cpio.prefix("boot.wim", len(data)) + data + cpio.suffix(len(data))
    assert archive.path.read_bytes() == expected


def test_the_operators_sdi_takes_the_place_of_none(tmp_path: Path):
    """An image without boot.sdi boots natively once the operator supplies one."""
    winpe = SyntheticWinPe(files={"/Windows/Boot/DVD/PCAT/boot.sdi": None})
    bench = Bench(tmp_path, winpe)

    without = bench.build(bench.image())
    own = build_sdi(b"own volume" * 500)
    properties = Properties(boot_sdi=bench.blobs.add(own))
    with_own = bench.build(bench.image(properties=properties))

    assert without.chains == ()
    assert "lacks boot.sdi" in without.findings[0]
    sdi = with_own.file("boot.sdi")
    assert sdi is not None
    assert (with_own.chains, sdi.path.read_bytes()) == (("native", "wimboot"), own)


def test_a_file_that_is_no_sdi_is_refused(bench: Bench):
    """The property is checked when it is used."""
    properties = Properties(boot_sdi=bench.blobs.add(b"picture"))

    with pytest.raises(OperatorFault, match=r"boot\.sdi of this image cannot be used"):
        bench.build(bench.image(properties=properties))


def test_an_altered_driver_never_enters(bench: Bench):
    """A blob whose bytes are not its digest's stops the build."""
    image = bench.image()
    blob = bench.blobs.path(image.drivers[0].files[0].digest)
    honest = blob.read_bytes()
    blob.write_bytes(honest + b"!")

    try:
        with pytest.raises(DigestMismatch, match="cannot be added"):
            bench.build(image)
    finally:
        blob.write_bytes(honest)


def test_an_altered_source_never_becomes_a_version(bench: Bench, tmp_path: Path):
    """A changed byte of the source is found, wherever it is."""
    bad = tmp_path / "source.wim"
    data = bytearray(bench.source.read_bytes())
    data[300] ^= 1
    bad.write_bytes(data)
    workdir = tmp_path / "work"
    workdir.mkdir()

    with pytest.raises(DigestMismatch, match=r"source .* was changed on disk"):
        build(
            source=bad,
            facts=bench.facts,
            plan=plan(bench.facts, bench.image(), 1),
            driver_files=bench.blobs.path,
            workdir=workdir,
        )


def test_boot_files_are_those_of_the_import(bench: Bench):
    """Facts of another source do not fit, and that is noticed."""
    files = tuple(
        replace(file, sha1="0" * 40) if file.name == "bootmgr.exe" else file
        for file in bench.facts.boot_files
    )

    with pytest.raises(ContentFault, match=r"bootmgr\.exe is damaged in the built image"):
        bench.build(bench.image(), replace(bench.facts, boot_files=files))


def test_a_rebuilt_image_holds_no_old_drivers(bench: Bench, built: BuiltFiles, tmp_path: Path):
    """A WIM that netboot built, imported again, gets only the drivers of the new recipe."""
    wim = built.file("boot.wim")
    assert wim is not None
    again = Bench.__new__(Bench)
    again.__dict__.update(bench.__dict__)
    again.folder, again.source = tmp_path, wim.path
    again.facts = inspect(wim.path, workdir=tmp_path)
    image = replace(again.image(), drivers=(make_driver("e1000", blobs=again.blobs),))

    rebuilt = again.build(image)

    folders = {
        path.split("/")[3]
        for path in listing(rebuilt)
        if path.count("/") == 3 and path.startswith("/Windows/BootDrivers/")
    }
    assert folders == {"0001-e1000"}
    script = extracted(rebuilt, "/Windows/System32/nb-start.cmd")
    assert script.count(b"drvload") == 1


@pytest.mark.parametrize("options", [("--check",), ()])
@pytest.mark.parametrize("compression", ["none", "XPRESS", "LZX"])
def test_sources_of_every_usable_form_are_built_from(
    compression: str, options: tuple[str, ...], tmp_path: Path
):
    """With and without integrity table, packed or not: the result is sound and repeatable."""
    bench = Bench(tmp_path, SyntheticWinPe(compression=compression, options=options))

    built, again = bench.build(bench.image()), bench.build(bench.image())

    wim = built.file("boot.wim")
    assert wim is not None
    imagex("verify", wim.path)
    assert [file.digest for file in built.files] == [file.digest for file in again.files]
    assert inspect(wim.path, workdir=tmp_path).has_integrity_table is bool(options)


def test_one_image_of_several_is_built(tmp_path: Path):
    """The second image changes and becomes bootable; the first stays as it was."""
    bench = Bench(tmp_path, SyntheticWinPe())
    both = tmp_path / "both.wim"
    imagex("export", bench.source, "1", both, "One", "--boot")
    imagex("export", bench.source, "1", both, "Two")
    bench.source, bench.facts = both, inspect(both, index=2, workdir=tmp_path)

    wim = bench.build(bench.image()).file("boot.wim")

    assert wim is not None
    imagex("verify", wim.path)
    assert "Boot Index:     2" in imagex("info", wim.path)
    assert "BootDrivers" not in imagex("dir", wim.path, "1")
    assert "BootDrivers/0001-vioscsi" in imagex("dir", wim.path, "2")


def test_a_read_only_source_can_be_built_from(tmp_path: Path):
    """The mark is taken off the copy, with a word at import."""
    bench = Bench(tmp_path, SyntheticWinPe())
    bench.source.write_bytes(with_flags(bench.source.read_bytes(), WimFlag.READONLY))
    bench.facts = inspect(bench.source, workdir=tmp_path)

    built = bench.build(bench.image())

    assert "read-only" in bench.facts.findings[0]
    assert "/Windows/System32/nb-start.cmd" in listing(built)


def test_secrets_that_are_added_are_told_of(bench: Bench):
    """An extra file and the prestart command are searched as an import is."""
    tool = ExtraFile("/Deploy/bootstrap.ini", bench.blobs.add(b"UserPassword=S3cret\r\n"), 21)
    command = "net use z: \\\\srv\\i S3cret /user:joe"
    image = bench.image(properties=Properties(extra_files=(tool,), prestart_command=command))

    secrets = bench.build(image).secrets

    assert {secret.path for secret in secrets} == {
        *("/Deploy/bootstrap.ini", "/Windows/System32/nb-start.cmd"),
    }
    assert "S3cret" not in str(secrets)


def test_a_full_disk_is_the_operators_to_mend(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """No room while copying: a fault in plain words, with a hint, and not a traceback."""

    def full(*_arguments: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wim_builder, "copy", full)

    with pytest.raises(OperatorFault, match=r"disk .* is full") as told:
        bench.build(bench.image())

    assert "Free some disk space" in told.value.hint


def test_wimlib_without_room_is_the_operators_to_mend(bench: Bench, tmp_path: Path):
    """The worker may not write a file as large as the image: an OperatorFault says so."""
    with pytest.raises(OperatorFault, match="could not be built"):
        build(
            source=bench.source,
            facts=bench.facts,
            plan=plan(bench.facts, bench.image(), 1),
            driver_files=bench.blobs.path,
            workdir=tmp_path,
            limits=Limits(file_size=bench.source.stat().st_size),
        )


class Cancelled(Exception):
    pass


def test_a_build_can_be_cancelled(bench: Bench, tmp_path: Path):
    """What progress raises comes out, and no worker is left."""

    def cancel(stage: str, _done: int, _total: int) -> None:
        if stage == "write":
            raise Cancelled

    with pytest.raises(Cancelled):
        build(
            source=bench.source,
            facts=bench.facts,
            plan=plan(bench.facts, bench.image(), 1),
            driver_files=bench.blobs.path,
            workdir=tmp_path,
            progress=cancel,
        )
