"""Names in a WIM that no Windows program writes and that can mislead programs that extract it.

wimlib ignores some of them with a warning and accepts others: `verify` calls a WIM with the name
`..` correct, and Windows' own library extracts it outside its folder (wimlib's README). So every
name is checked here. Linux allows names that Windows does not, and the reverse.
"""

import re
from collections.abc import Iterable, Iterator

FINDING_LIMIT = 20
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
_DEVICE = re.compile(r"(con|prn|aux|nul|clock\$|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_LONGEST_PATH = 32_000


def hostile_names(entries: Iterable[tuple[str, str]]) -> list[str]:
    """Findings about names that cannot be trusted, at most FINDING_LIMIT.

    Entries are (path, name). wimlib joins names to the path, with slashes; the name is as in the
    WIM, where it may contain a slash itself. Invalid UTF-8 is given as lone surrogates.
    """
    findings: list[str] = []
    seen: dict[str, str] = {}
    for path, name in entries:
        findings += (f"{_shown(path)}: {reason}" for reason in _reasons(path, name))
        folded = path.casefold()
        if folded in seen and path != "/":
            findings.append(
                f"{_shown(path)}: the same name as {_shown(seen[folded])}, except for case"
                if seen[folded] != path
                else f"{_shown(path)}: the name appears twice"
            )
        seen[folded] = path
        if len(findings) >= FINDING_LIMIT:
            break
    return findings[:FINDING_LIMIT]


def _reasons(path: str, name: str) -> Iterator[str]:
    """The faults of a name; the folders above it are separate entries."""
    if path == "/":
        return
    if name in {"", ".", ".."}:
        yield "the name is empty or only dots"
    elif _FORBIDDEN.search(name):
        yield "the name contains a character that Windows does not allow"
    elif name[-1] in ". ":
        yield "the name ends with a dot or a space"
    elif _DEVICE.fullmatch(name):
        yield "the name is reserved for a device"
    elif any("\ud800" <= letter <= "\udfff" for letter in name):
        yield "the name is not valid Unicode"
    if len(path) > _LONGEST_PATH:
        yield "the path is longer than Windows allows"


def _shown(path: str) -> str:
    return ascii(path[:120])
