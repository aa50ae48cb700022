"""Compares the boot program and the image that the server sent with what was published."""

from typing import Final

from netboot.diagnose.asking.fetch import Fetched, digest_of
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.asking.program import made_for, name_of
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.expectation import HEAD_SIZE, Expectation, Promised
from netboot.diagnose.judging.findings import Finding, fault, info, ok, warning

_SIZES: Final = ("bytes", "KiB", "MiB", "GiB")
_REMEDY: Final = "Verify the distribution point, then update it."


def program(evidence: Evidence, expected: Expectation) -> list[Finding]:
    """Whether the boot program arrives, is what was published, and runs on such a machine."""
    fetched = evidence.program
    if fetched is None:
        return []
    if fetched.trouble:
        return [_transfer_trouble(fetched)]
    return [
        *_comparison(fetched, _promised(fetched.name, expected), known=expected.is_complete),
        *_fitness(evidence.kind, fetched),
    ]


def parts(evidence: Evidence, expected: Expectation) -> list[Finding]:
    """Whether the server has the files that the program loads, as they were published."""
    return [_part(part, _promised(part.name, expected)) for part in evidence.parts]


def _part(part: Fetched, promised: Promised | None) -> Finding:
    name = shown(part.name)
    if part.trouble:
        return _transfer_trouble(part)
    if promised is not None and part.size not in {promised.size, -1}:
        return fault(f"{name} has {part.size} bytes instead of {promised.size}", _REMEDY)
    if not part.whole_digest:
        return _head_of(part, promised)
    if promised is not None and part.whole_digest != promised.digest:
        return _altered(part, part.whole_digest, promised)
    words = f"{name} arrived completely ({human(part.size)}, {part.rate / 1e6:.1f} MB/s)"
    return ok(f"{words} and is what was published" if promised else words)


def _head_of(part: Fetched, promised: Promised | None) -> Finding:
    name = shown(part.name)
    known = promised.head if promised is not None else ""
    if known and digest_of(part.data[:HEAD_SIZE]) != known:
        return fault(
            f"{name} differs from what was published in its first bytes",
            f"It was changed on the way or on the server. {_REMEDY}",
        )
    if name.endswith(".wim") and not part.data.startswith(b"MSWIM\0\0\0"):
        return fault(f"{name} is not a WIM file", _REMEDY)
    same = " and begins as published" if known else ""
    return ok(f"{name} is available ({human(part.size)}){same}")


def shown(name: str) -> str:
    """A name or URL without its query, which describes the machine."""
    return name.partition("?")[0]


def human(size: int) -> str:
    if size < 0:
        return "size unknown"
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if unit == 0 else f"{value:.1f} {_SIZES[unit]}"


def _transfer_trouble(fetched: Fetched) -> Finding:
    name, words = shown(fetched.name), fetched.words
    match fetched.trouble, "://" in name and not name.startswith("tftp://"):
        case "loops", _:
            return fault(
                f"{name} loops: it redirects to itself ({words})",
                "Let the web server answer this address with the file, without a redirect.",
            )
        case "missing", _:
            return fault(
                f"the server does not have {name}: {words} [PXE-E3B]",
                "Update the distribution points. For a boot program, install the packages ipxe and"
                " grub-efi-ia32-bin and restart the site.",
            )
        case "silent", False:
            return fault(
                f"no answer by TFTP for {name} [PXE-E32]",
                "Open UDP port 69 on the server, and let it answer from any port: each TFTP"
                " transfer has its own port.",
            )
        case "silent" | "unreachable", True:
            return fault(
                f"{name} cannot be reached: {words or 'no answer'}",
                "Open the boot HTTP port (TCP) on the server and check that `netboot http` runs.",
            )
        case "broken", _:
            return fault(
                f"the transfer of {name} stopped half-way: {words} [PXE-E35]",
                "A firewall or a path with a smaller MTU drops packets: try block size 1024.",
            )
    return fault(
        f"the server refused {name}: {words} [PXE-E36]", "See the boot log for the reason."
    )


def _promised(name: str, expected: Expectation) -> Promised | None:
    scheme, is_url, rest = name.partition("://")
    path = shown(rest.partition("/")[2])
    if is_url:
        found = expected.promised_at("/" + path)
        return expected.promised(path) if scheme == "tftp" and found is None else found
    return expected.promised(name)


def _comparison(fetched: Fetched, promised: Promised | None, *, known: bool) -> list[Finding]:
    name, size = shown(fetched.name), human(len(fetched.data))
    if made_for(fetched.data) == "script":
        return [ok(f"{name} is a script of {size}")]
    if promised is None:
        words = f"{name} arrived completely ({size})"
        if known:
            return [warning(f"{words}, but was not published", "Publish it again.")]
        return [info(f"{words}; there is no list of digests to compare it with")]
    if fetched.digest == promised.digest:
        return [ok(f"{name} arrived completely ({size}) and is what was published")]
    return [_altered(fetched, fetched.digest, promised)]


def _altered(fetched: Fetched, digest: str, promised: Promised) -> Finding:
    return fault(
        f"{shown(fetched.name)} is not what was published: {digest[:19]}… instead of"
        f" {promised.digest[:19]}…",
        f"It was changed on the way or on the server. {_REMEDY} If it is still different, look"
        " for another server with this address.",
    )


def _fitness(kind: Kind, fetched: Fetched) -> list[Finding]:
    name, actual = shown(fetched.name), made_for(fetched.data)
    if actual in kind.starts:
        return [ok(f"{name} is {name_of(actual)}")] if actual != "script" else []
    return [
        fault(
            f"{name} is {name_of(actual)}, which a {kind.title} cannot start",
            "Publish an image of the right architecture, and install the right boot programs.",
        )
    ]
