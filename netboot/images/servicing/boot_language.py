r"""The language of Windows' boot managers: the locale in the BCD, and the files that belong to it.

A boot manager asks for `<its folder>\<locale of the BCD>\<its name>.MUI` (seen with bootmgfw.efi
22621), and starts without that file too. Windows keeps one for each language next to its managers.
"""

import re
from collections.abc import Iterable, Sequence

from netboot.images.boot_image.description import BootFile, ImageFacts
from netboot.images.boot_image.properties import Properties

DEFAULT_LOCALE = "en-US"

# Windows' own folders, best first; each manager's language files are in folders below its own.
_FOLDERS = ("efi", "efi_ex", "pxe", "pcat")
_FILE = re.compile(
    r"/windows/boot/(efi|efi_ex|pxe|pcat)/([a-z]{2,3}(?:-[a-z0-9]{2,8}){1,2})"
    r"/((?:bootmgfw|bootmgfw_ex)\.efi|bootmgr\.exe)\.mui"
)
_NAMES = {"bootmgfw_ex.efi": "bootmgfw_EX.efi"}


def language_file(path: str) -> str:
    """The name by which clients request the language file at this path; "" for other files."""
    found = _FILE.fullmatch(path.lower())
    if found is None:
        return ""
    return f"{locale_name(found[2])}/{_NAMES.get(found[3], found[3])}.mui"


def preference(path: str) -> int:
    """The place of a language file among those of one name: the lowest is taken."""
    found = _FILE.fullmatch(path.lower())
    return _FOLDERS.index(found[1]) if found else len(_FOLDERS)


def locale_name(text: str) -> str:
    """The locale as Windows writes it: de-DE, sr-Latn-RS (RFC 5646 §2.1.1)."""
    language, *parts = text.lower().split("-")
    written = (part.upper() if len(part) == 2 else part.title() for part in parts)
    return "-".join((language, *written))


def boot_locale(facts: ImageFacts, properties: Properties) -> str:
    """The locale of the boot manager: the image's own, unless the administrator chose another.

    One for which the image has a language file comes first.
    """
    wanted = [properties.locale, *facts.languages, DEFAULT_LOCALE]
    held = _locales(facts.language_files)
    # What stands in a WIM's XML may be anything.
    names = [locale_name(one) for one in wanted if _LOCALE.fullmatch(one)]
    with_file = [name for name in (*names, *held) if name in held]
    return with_file[0] if with_file else names[0]


_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){1,2}")


def language_files(facts: ImageFacts, locale: str) -> tuple[BootFile, ...]:
    """The language files of the image for this locale."""
    return tuple(file for file in facts.language_files if file.name.startswith(f"{locale}/"))


def _locales(files: Iterable[BootFile]) -> Sequence[str]:
    return tuple(dict.fromkeys(file.name.partition("/")[0] for file in files))
