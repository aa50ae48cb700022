r"""Which of Microsoft's two UEFI boot loaders a machine gets as bootmgfw.efi.

Since 2024, Windows PE has the loader twice: `\Windows\Boot\EFI\bootmgfw.efi`, signed by *Microsoft
Windows Production PCA 2011*, and `\Windows\Boot\EFI_EX\bootmgfw_EX.efi`, signed by *Windows UEFI
CA 2023* (KB5025885). With Secure Boot, a machine starts the first if its firmware's db contains
the 2011 authority and its dbx does not revoke it, and the second if its db contains the 2023
authority. PXE requests do not say which, so it is configured.

The setting of the machine takes precedence over that of the image, and that over the site's. If
the image lacks the loader that machine or image require, the machine gets none; the site's setting
is only a preference.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netboot.images.boot_image.description import BootFile

AUTHORITY_2011 = "2011"
AUTHORITY_2023 = "2023"
AUTHORITIES: Mapping[str, str] = MappingProxyType(
    {
        AUTHORITY_2011: "Microsoft Windows Production PCA 2011",
        AUTHORITY_2023: "Windows UEFI CA 2023",
    }
)
"""The certificates that machines must trust, by year."""

LOADER = "bootmgfw.efi"
LOADER_EX = "bootmgfw_EX.efi"

TELL_COMMAND = (
    "[Text.Encoding]::ASCII.GetString((Get-SecureBootUEFI db).bytes) -match 'Windows UEFI CA 2023'"
)
"""PowerShell prints True for it on a machine that trusts the 2023 authority (KB5025885)."""


def held(boot_files: Iterable[BootFile]) -> dict[str, str]:
    """The loader for each authority, by its signature."""
    signers = {file.name: file.signer for file in boot_files}
    found = {}
    # A loader that neither authority signed, as in the Lab PE, counts as its name says.
    if LOADER in signers:
        by_name = AUTHORITY_2023 if signers[LOADER] == AUTHORITY_2023 else AUTHORITY_2011
        found[by_name] = LOADER
    if LOADER_EX in signers and signers[LOADER_EX] != AUTHORITY_2011:
        found[AUTHORITY_2023] = LOADER_EX
    return found


def unsigned(names: Iterable[str]) -> dict[str, str]:
    """The same by names alone, for versions of old releases, which recorded no signatures."""
    return held(BootFile(name, "", 0, "") for name in names if name in {LOADER, LOADER_EX})


def choose(
    loaders: Mapping[str, str], *, machine: str = "", image: str = "", site: str = ""
) -> str:
    """The file that is served as bootmgfw.efi, or "" if the required one is missing."""
    if wanted := machine or image:
        return loaders.get(wanted, "")
    return loaders.get(site or AUTHORITY_2011) or next(iter(loaders.values()), "")


def lacking(label: str, authority: str) -> str:
    return f"{label} contains no UEFI boot loader signed by {AUTHORITIES[authority]}"
