"""The plan of a build: the steps that turn a copy of the source into a new version.

It depends only on the facts about the source, the recipe and the version number. Law: what the
image does not support is refused here, with the reason, before anything is copied.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netboot.errors import InvalidInput, WrongArchitecture
from netboot.formats.hive import REG_DWORD, REG_SZ, text_data
from netboot.images.architecture import Architecture
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.boot_image import BootImage, recipe_digest
from netboot.images.boot_image.description import BootFile, ImageFacts
from netboot.images.boot_image.properties import check_image_path
from netboot.images.drivers.driver import Driver, DriverKind, Signature
from netboot.images.servicing.boot_language import (
    DEFAULT_LOCALE,
    boot_locale,
    language_files,
)
from netboot.images.servicing.shortfalls import shortfalls
from netboot.images.servicing.start_report import REPORT_SCRIPT, HomeReport
from netboot.images.servicing.startup_hooks import (
    PRESTART_SCRIPT,
    START_SCRIPT,
    STARTNET,
    SYSTEM32,
    WINPESHL,
    DriverLine,
    Hook,
    StartUp,
    Wish,
    plan_hook,
)

DRIVERS_FOLDER = "/Windows/BootDrivers"
IMAGE_INI = f"{SYSTEM32}/nb-image.ini"
BACKGROUND = f"{SYSTEM32}/winpe.jpg"
EPOCH = 946_684_800
"""2000-01-01: the time of added files if the source has no modification time."""

_RANK = {
    DriverKind.SYSTEM: 0,
    DriverKind.STORAGE: 1,
    DriverKind.NETWORK: 2,
    DriverKind.OTHER: 3,
    # After the drivers that they add to.
    DriverKind.EXTENSION: 4,
    DriverKind.COMPONENT: 4,
}
_RESERVED_PATHS = {
    path.lower()
    for path in (
        *(STARTNET, WINPESHL, START_SCRIPT, PRESTART_SCRIPT),
        *(REPORT_SCRIPT, IMAGE_INI, BACKGROUND),
    )
}


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file of a tree: `path` is relative to the tree's folder."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class AddTree:
    """Add a folder with files from the blob store."""

    target: str
    files: tuple[PlacedFile, ...]


@dataclass(frozen=True, slots=True)
class AddFile:
    """Add or replace a file from the blob store."""

    target: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Add or replace a file with these bytes."""

    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RemoveTree:
    """Remove a folder with its content."""

    target: str


@dataclass(frozen=True, slots=True)
class SetRegistry:
    """Set a value in a hive. A key may start with `CurrentControlSet`."""

    hive: str
    key: str
    name: str
    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SetBootIndex:
    """Mark this image of the WIM as bootable: boot managers start no other."""

    index: int


Step = AddTree | AddFile | WriteFile | RemoveTree | SetRegistry | SetBootIndex


@dataclass(frozen=True, slots=True)
class BootSettings:
    """The settings in the generated BCD: bytes and blocks, 0 for the boot manager's defaults."""

    title: str
    block_size: int
    window_size: int
    menu_seconds: int
    boot_sdi: str = ""
    locale: str = DEFAULT_LOCALE


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and the time of everything that is added.

    `source` is the digest that the source must have; `taken_out` are the files that clients get.
    """

    source: str
    index: int
    steps: tuple[Step, ...]
    at: int
    settings: BootSettings
    findings: tuple[str, ...] = ()
    taken_out: tuple[BootFile, ...] = ()


def plan(
    facts: ImageFacts, image: BootImage, version_number: int, *, report_token: str = ""
) -> Plan:
    """The steps from the source to version `version_number` of the image.

    `report_token` identifies the version in its reports to this site.
    Raises InvalidInput or WrongArchitecture if the source does not support the recipe.
    """
    _check_fit(facts, image)
    drivers = load_order(image.drivers)
    folders = {driver.digest: driver_folder(n, driver) for n, driver in enumerate(drivers, 1)}
    lines = tuple(DriverLine(folders[driver.digest], driver.inf_name) for driver in drivers)
    hook = _hook(facts, image, lines, version_number, report_token)
    steps: list[Step] = []
    # The source may be a version that netboot built, with drivers that are no longer wanted.
    if any(path.lower().startswith(DRIVERS_FOLDER.lower() + "/") for path in facts.drivers):
        steps.append(RemoveTree(DRIVERS_FOLDER))
    steps += [
        _driver_tree(folders[driver.digest], driver, image.architecture) for driver in drivers
    ]
    steps += [WriteFile(file.path, bytes(file)) for file in hook.files]
    steps += _property_steps(image)
    steps += [
        WriteFile(IMAGE_INI, image_ini(image, version_number)),
        SetBootIndex(image.source.image_index),
    ]
    properties = image.properties
    locale = boot_locale(facts, properties)
    return Plan(
        source=image.source.digest,
        index=image.source.image_index,
        steps=tuple(steps),
        at=facts.modified_at or EPOCH,  # never the current time: equal recipes give equal bytes
        settings=BootSettings(
            title=image.name,
            block_size=properties.tftp_block_size,
            window_size=properties.tftp_window_size,
            menu_seconds=properties.menu_seconds,
            boot_sdi=properties.boot_sdi,
            locale=locale,
        ),
        findings=(
            *hook.findings,
            *(one.text for one in shortfalls(facts, image)),
            *_driver_findings(drivers),
        ),
        taken_out=(*facts.boot_files, *language_files(facts, locale)),
    )


def load_order(drivers: tuple[Driver, ...]) -> tuple[Driver, ...]:
    """System and bus, storage, network; within a kind as the operator ordered them."""
    # A bus driver shows the devices below it. Network comes last, since wpeinit follows at once.
    return tuple(sorted(drivers, key=lambda driver: _RANK[driver.kind]))


def driver_folder(number: int, driver: Driver) -> str:
    """The folder of a package: its number in the order, and a safe form of the INF's name."""
    stem = driver.inf_name.rpartition("/")[2].rpartition(".")[0]
    safe = re.sub(r"[^a-z0-9_-]+", "-", stem.lower())[:32].strip("-") or "driver"
    return f"{number:04d}-{safe}"


def image_ini(image: BootImage, version_number: int) -> bytes:
    """nb-image.ini, from which the running image knows what it is."""
    lines = (
        "[netboot]",
        f"image={image.name}",
        f"slug={image.slug}",
        f"version={version_number}",
        f"build={recipe_digest(image)}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


def _check_fit(facts: ImageFacts, image: BootImage) -> None:
    if facts.architecture is not image.architecture:
        raise WrongArchitecture(
            f"The source of {image.name} is {facts.architecture}, not {image.architecture}",
            hint="Import a Windows PE of the right architecture.",
        )
    if facts.index != image.source.image_index:
        raise InvalidInput(
            f"{image.name} is built from image {image.source.image_index} of its WIM, "
            f"but image {facts.index} was examined"
        )
    properties = image.properties
    if properties.background and not facts.has_background:
        raise InvalidInput(
            "This Windows PE does not support a background picture (it has no winpe.jpg)",
            hint="Leave the background empty, or import a Windows PE of Windows 8 or later.",
        )
    _check_authority(facts, properties.uefi_authority)
    for wanted, hive, what in (
        (properties.scratch_space_mb, "SYSTEM", "scratch space"),
        (properties.keyboard or properties.locale, "DEFAULT", "keyboard and locale"),
    ):
        if wanted and hive not in facts.hives:
            raise InvalidInput(
                f"The image has no {hive} hive, so its {what} cannot be set",
                hint="Leave this property empty for this image.",
            )


def _check_authority(facts: ImageFacts, wanted: str) -> None:
    held = uefi_loader.held(facts.boot_files)
    if wanted and wanted not in held:
        have = ", ".join(sorted(held)) or "none"
        other = "that has one."
        if wanted == uefi_loader.AUTHORITY_2023:
            other = r"with Windows\Boot\EFI_EX\bootmgfw_EX.efi (kits and updates since 2024)."
        raise InvalidInput(
            f"{uefi_loader.lacking('The image', wanted)}. Available: {have}",
            hint=f"Use the site setting, or import a Windows PE {other}",
        )


def _hook(
    facts: ImageFacts,
    image: BootImage,
    lines: tuple[DriverLine, ...],
    version_number: int,
    report_token: str,
) -> Hook:
    properties = image.properties
    home = properties.report_address(report_token)
    wish = Wish(
        drivers=lines,
        prestart_command=properties.prestart_command,
        command_shell=properties.command_shell,
        report=HomeReport(home, image.name, version_number) if home else None,
    )
    hook = plan_hook(StartUp(facts.startnet, facts.winpeshl, facts.setup_path), wish)
    if hook.refusal:
        raise InvalidInput(
            hook.refusal, hint="Remove the prestart command, or add wpeinit to the image's script."
        )
    return hook


def _driver_tree(folder: str, driver: Driver, architecture: Architecture) -> AddTree:
    """The package, without files that are only for other architectures."""
    target = f"{DRIVERS_FOLDER}/{folder}"
    if not driver.inf_name.isascii() or '"' in driver.inf_name:
        raise InvalidInput(
            f"{driver.inf_name!r} is not allowed in a batch file",
            hint="Rename the INF to plain ASCII letters and import the driver again.",
        )
    names = [file.path.lower() for file in driver.files]
    if len(set(names)) != len(names):
        raise InvalidInput(
            f"{driver.name} has files whose names differ only in case. Windows cannot store both"
        )
    if driver.inf_name.lower() not in names:
        raise InvalidInput(f"{driver.name} does not contain its own INF ({driver.inf_name})")
    for file in driver.files:
        check_image_path(f"{target}/{file.path}")
    files = (
        PlacedFile(file.path, file.digest, file.size)
        for file in driver.files
        if not file.architectures or architecture in file.architectures
    )
    return AddTree(target, tuple(sorted(files, key=lambda file: file.path)))


def _property_steps(image: BootImage) -> Iterator[Step]:
    properties = image.properties
    if properties.scratch_space_mb:
        # What DISM /Set-ScratchSpace sets: the limit of the file-based write filter over X:.
        yield SetRegistry(
            hive="SYSTEM",
            key="CurrentControlSet\\Services\\FBWF",
            name="WinPECacheThreshold",
            type=REG_DWORD,
            data=struct.pack("<I", properties.scratch_space_mb),
        )
    # Windows PE runs as SYSTEM, whose user settings are in the DEFAULT hive.
    if properties.keyboard:
        yield _text_value("Keyboard Layout\\Preload", "1", properties.keyboard)
    if properties.locale:
        yield _text_value("Control Panel\\International", "LocaleName", properties.locale)
    if properties.background:
        yield AddFile(BACKGROUND, properties.background, 0)
    for file in sorted(properties.extra_files, key=lambda file: file.path.lower()):
        if file.path.lower() in _RESERVED_PATHS or file.path.lower().startswith(
            DRIVERS_FOLDER.lower() + "/"
        ):
            raise InvalidInput(
                f"{file.path} is written by netboot itself",
                hint="Use the prestart command, or drivers, instead of an extra file.",
            )
        yield AddFile(file.path, file.digest, file.size)


def _text_value(key: str, name: str, text: str) -> SetRegistry:
    return SetRegistry("DEFAULT", key, name, REG_SZ, text_data(text))


def _driver_findings(drivers: tuple[Driver, ...]) -> Iterator[str]:
    """Warnings that do not stop the build."""
    for driver in drivers:
        if driver.signature is Signature.NONE:
            yield f"{driver.name} is {driver.signed[:1].lower()}{driver.signed[1:]}"
