r"""Which of Microsoft's two UEFI boot loaders a machine gets as bootmgfw.efi.

Windows PE since the update of 2024 holds the loader twice: `\Windows\Boot\EFI\bootmgfw.efi`
signed under *Microsoft Windows Production PCA 2011*, and `\Windows\Boot\EFI_EX\bootmgfw_EX.efi`
under *Windows UEFI CA 2023* (KB5025885). With Secure Boot on, a machine starts the first while
its firmware's db holds the 2011 authority and its dbx does not revoke it, and the second where
its db holds the 2023 authority. No request of a machine tells which, so it is chosen here.

Precedence: what is known of the machine, what the image wants, what the site says. A machine's
and an image's word is kept or refused; the site's is kept where the image holds such a loader.
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
"""The certificates that machines have to trust, by the year that stands for them."""

LOADER = "bootmgfw.efi"
LOADER_EX = "bootmgfw_EX.efi"

TELL_COMMAND = (
    "[Text.Encoding]::ASCII.GetString((Get-SecureBootUEFI db).bytes) -match 'Windows UEFI CA 2023'"
)
"""What PowerShell answers True to on a machine that trusts the authority of 2023 (KB5025885)."""


def held(boot_files: Iterable[BootFile]) -> dict[str, str]:
    """The loader for each authority, by the signatures that were found in the image.

    A loader that Microsoft did not sign stands where its name says.
    """
    signers = {file.name: file.signer for file in boot_files}
    found = {}
    if LOADER in signers:
        by_name = AUTHORITY_2023 if signers[LOADER] == AUTHORITY_2023 else AUTHORITY_2011
        found[by_name] = LOADER
    if LOADER_EX in signers and signers[LOADER_EX] != AUTHORITY_2011:
        found[AUTHORITY_2023] = LOADER_EX
    return found


def unsigned(names: Iterable[str]) -> dict[str, str]:
    """The same by names alone, for versions whose signatures nobody noted."""
    return held(BootFile(name, "", 0, "") for name in names if name in {LOADER, LOADER_EX})


def choose(
    loaders: Mapping[str, str], *, machine: str = "", image: str = "", site: str = ""
) -> str:
    """The file that is given as bootmgfw.efi, or "" where what is needed is not there."""
    if wanted := machine or image:
        return loaders.get(wanted, "")
    return loaders.get(site or AUTHORITY_2011) or next(iter(loaders.values()), "")


def lacking(label: str, authority: str) -> str:
    """Why an image cannot be given to who needs this authority, as a sentence's middle."""
    return f"{label} contains no UEFI boot loader signed by {AUTHORITIES[authority]}"
