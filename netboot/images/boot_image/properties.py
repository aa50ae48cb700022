"""Properties of a boot image other than its drivers, like those in ConfigMgr.

Values are checked here; `servicing` writes them to the image.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from netboot.errors import InvalidInput
from netboot.images.boot_image.uefi_loader import AUTHORITIES

SCRATCH_SPACES = (32, 64, 128, 256, 512)
"""MB of writable RAM disk, as DISM /Set-ScratchSpace accepts them."""

CHAINS = ("native", "wimboot", "linux")
"""The boot methods that an operator can prefer (see netboot.boot.answer.nbp)."""

REPORT_PATH = "/report/"
"""Where a site's boot HTTP service accepts reports; a token follows."""

PROPERTY_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "scratch_space_mb": "Scratch space (MB)",
        "background": "Background picture",
        "prestart_command": "Prestart command",
        "command_shell": "Command prompt at startup",
        "keyboard": "Keyboard layout",
        "locale": "Locale",
        "extra_files": "Extra files",
        "report_home": "Report address",
        "boot_sdi": "Custom boot.sdi",
        "tftp_block_size": "TFTP block size (bytes)",
        "tftp_window_size": "TFTP window size (blocks)",
        "menu_seconds": "Boot menu timeout (seconds)",
        "bios_chain": "BIOS boot method",
        "uefi_chain": "UEFI boot method",
        "uefi_authority": "Authority of the UEFI boot loader",
    }
)
"""The names of the properties on pages and in the output of commands."""

_TYPE_WORDS = {int: "a whole number", str: "text", bool: "true or false", tuple: "a list"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEYBOARD = re.compile(r"[0-9a-f]{8}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[0-9]{3})")
_SITE = re.compile(r"(http://[A-Za-z0-9.:\[\]-]+)/?")
_ADDRESS = re.compile(r"http://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9./_~-]*)?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*')
_PATH_LIMIT = 200
_COMMAND_LIMIT = 240


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file that the operator adds to the image, as /Windows/System32/tool.exe for example."""

    path: str
    digest: str
    size: int

    def __post_init__(self) -> None:
        check_image_path(self.path)
        _check_digest(self.digest, "the extra file")


@dataclass(frozen=True, slots=True)
class Properties:
    """All properties of an image; empty values change nothing.

    `background` is the digest of a JPEG. `prestart_command` runs after the network is up and before
    the shell or the image's own program; its files are extra files. `command_shell` opens a command
    prompt at startup (for tests only: anyone at the machine can type commands). `keyboard` is a
    layout like 00000407, `locale` a name like de-DE. `report_home` is the address for Windows PE's
    report: a site like http://192.0.2.1:8081, to which each version adds its token, or the full
    address of another collector. `boot_sdi` is the digest of a boot.sdi that replaces the image's
    own. The boot manager requests these TFTP block and window sizes; with 0 it uses its defaults.
    `bios_chain` and `uefi_chain` are the preferred boot methods, empty for the best available.
    `uefi_authority` is the signer of the boot loader for UEFI machines ("2011", "2023"), empty for
    the site's setting.
    """

    scratch_space_mb: int = 0
    background: str = ""
    prestart_command: str = ""
    command_shell: bool = False
    keyboard: str = ""
    locale: str = ""
    extra_files: tuple[ExtraFile, ...] = ()
    report_home: str = ""
    boot_sdi: str = ""
    tftp_block_size: int = 1456
    tftp_window_size: int = 4
    menu_seconds: int = 0
    bios_chain: str = ""
    uefi_chain: str = ""
    uefi_authority: str = ""

    def __post_init__(self) -> None:
        if self.scratch_space_mb not in (0, *SCRATCH_SPACES):
            raise InvalidInput(
                f"Scratch space cannot be {self.scratch_space_mb} MB",
                hint=f"Windows PE accepts {', '.join(map(str, SCRATCH_SPACES))} MB.",
            )
        for digest, what in ((self.background, "the background"), (self.boot_sdi, "boot.sdi")):
            if digest:
                _check_digest(digest, what)
        _check_command(self.prestart_command)
        _check_pattern(self.keyboard, _KEYBOARD, "keyboard layout", "for example 00000407")
        _check_pattern(self.locale, _LOCALE, "locale", "for example de-DE")
        _check_address(self.report_home)
        _check_numbers(self)
        for value, known, what in (
            (self.bios_chain, CHAINS, "boot method"),
            (self.uefi_chain, CHAINS, "boot method"),
            (self.uefi_authority, tuple(AUTHORITIES), "boot loader authority"),
        ):
            if value and value not in known:
                hint = f"Use one of {', '.join(known)}."
                raise InvalidInput(f"{value[:80]!r} is not a {what}", hint=hint)
        _check_unique(self.extra_files)

    def report_address(self, token: str) -> str:
        """The report address of a version with this token, or ""."""
        site = _SITE.fullmatch(self.report_home)
        return f"{site[1]}{REPORT_PATH}{token}" if site and token else self.report_home

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults, so that a new field changes no old recipe."""
        changed: dict[str, Any] = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if getattr(self, item.name) != getattr(NO_PROPERTIES, item.name)
        }
        if self.extra_files:
            changed["extra_files"] = [
                {"path": file.path, "digest": file.digest, "size": file.size}
                for file in sorted(self.extra_files, key=lambda file: file.path.lower())
            ]
        return changed

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Properties":
        """The inverse of `to_json`. Raises InvalidInput for unknown names and other types."""
        unknown = set(data) - {item.name for item in fields(Properties)}
        if unknown:
            raise InvalidInput(f"Boot images have no property {min(unknown)}")
        for name, value in data.items():
            _check_type(name, value, type(getattr(NO_PROPERTIES, name)))
        values = dict(data)
        values["extra_files"] = tuple(_extra_file(file) for file in data.get("extra_files", ()))
        return Properties(**values)


def check_image_path(path: str) -> None:
    """Raise InvalidInput if Windows cannot have a file at `path`."""
    parts = path.split("/")[1:]
    if not path.startswith("/") or not parts or len(path) > _PATH_LIMIT:
        raise InvalidInput(
            f"{path[:80]!r} is not a path in an image",
            hint=f"A path starts with / and has at most {_PATH_LIMIT} characters.",
        )
    for part in parts:
        if (
            not part
            or part != part.strip(" ")
            or part.endswith(".")
            or not part.isprintable()
            or _FORBIDDEN & set(part)
            or "\\" in part
            or _RESERVED.fullmatch(part)
        ):
            raise InvalidInput(
                f"{part[:80]!r} in {path[:80]!r} is not a valid Windows name",
                hint="Use letters, digits, dots and dashes, with forward slashes between folders.",
            )


def _check_type(name: str, value: object, expected: type) -> None:
    """JSON and TOML have lists for tuples, and a whole number is no yes or no."""
    if type(value) is not expected and not (expected is tuple and isinstance(value, list)):
        raise InvalidInput(f"{name} must be {_TYPE_WORDS[expected]}, not {str(value)[:80]!r}")


def _extra_file(value: object) -> ExtraFile:
    if not isinstance(value, dict) or set(value) != {"path", "digest", "size"}:
        raise InvalidInput("each of extra_files must have path, digest and size")
    for name, expected in (("path", str), ("digest", str), ("size", int)):
        _check_type(f"{name} of extra_files", value[name], expected)
    if value["size"] < 0:
        raise InvalidInput(f"size of extra_files cannot be {value['size']}")
    return ExtraFile(**value)


def _check_digest(digest: str, what: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(f"{digest[:80]!r} is not the digest of {what}")


def _check_command(command: str) -> None:
    if len(command) > _COMMAND_LIMIT or not command.isprintable() or not command.isascii():
        raise InvalidInput(
            "The prestart command cannot be written into a batch file",
            hint=f"Use one line of at most {_COMMAND_LIMIT} plain ASCII characters.",
        )


def _check_pattern(value: str, pattern: re.Pattern[str], what: str, example: str) -> None:
    if value and not pattern.fullmatch(value):
        raise InvalidInput(
            f"{value[:80]!r} is not a {what}", hint=f"Enter it in this form: {example}."
        )


def _check_address(address: str) -> None:
    match = _ADDRESS.fullmatch(address)
    if address and not match:
        raise InvalidInput(
            f"{address[:80]!r} is not a valid report address",
            hint="Enter it in this form: http://192.0.2.1:8081.",
        )
    if match and (match[1] or "").startswith(REPORT_PATH):
        raise InvalidInput(
            f"{address[:80]!r} contains a token that would expire",
            hint="Leave out the path. Each version gets its own token.",
        )


def _check_numbers(properties: Properties) -> None:
    for value, low, high, what in (
        (properties.tftp_block_size, 512, 65464, "TFTP block size"),
        (properties.tftp_window_size, 1, 64, "TFTP window size"),
    ):
        if value and not low <= value <= high:
            raise InvalidInput(f"{what} must be between {low} and {high}, not {value}")
    if not 0 <= properties.menu_seconds <= 3600:
        raise InvalidInput("The boot menu timeout must be between 0 and 3600 seconds")


def _check_unique(extra_files: tuple[ExtraFile, ...]) -> None:
    seen: set[str] = set()
    for file in extra_files:
        if file.path.lower() in seen:
            raise InvalidInput(f"{file.path} is listed twice (Windows ignores case)")
        seen.add(file.path.lower())


NO_PROPERTIES = Properties()
