"""What the server handed out: the boot program and the image, against what was published."""

from typing import Final

from netboot.diagnose.asking.fetch import Fetched, digest_of
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.asking.program import made_for, name_of
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.expectation import HEAD_SIZE, Expectation, Promised
from netboot.diagnose.judging.findings import Finding, fault, info, ok, warning

_SIZES: Final = ("bytes", "KiB", "MiB", "GiB")
_MEND: Final = "Verify the distribution point and update it."


def program(evidence: Evidence, expected: Expectation) -> list[Finding]:
    """Whether the boot program came, is what was published, and runs on such a machine."""
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
    """Whether what the program leads to can be had: kernel, image and what lies beside."""
    return [_part(part, _promised(part.name, expected)) for part in evidence.parts]


def _part(part: Fetched, promised: Promised | None) -> Finding:
    name = shown(part.name)
    if part.trouble:
        return _transfer_trouble(part)
    if promised is not None and part.size not in {promised.size, -1}:
        return fault(f"{name} has {part.size} bytes instead of {promised.size}", _MEND)
    return _whole_part(part, promised) if part.whole_digest else _head_of(part, promised)


def _whole_part(part: Fetched, promised: Promised | None) -> Finding:
    if promised is not None and part.whole_digest != promised.digest:
        return _altered(part, part.whole_digest, promised)
    words = f"{shown(part.name)} came whole ({human(part.size)}, {part.rate / 1e6:.1f} MB/s)"
    return ok(f"{words} and is what was published" if promised else words)


def _head_of(part: Fetched, promised: Promised | None) -> Finding:
    name = shown(part.name)
    known = promised.head if promised is not None else ""
    if known and digest_of(part.data[:HEAD_SIZE]) != known:
        return fault(
            f"{name} does not begin as what was published",
            f"It was altered on the way or on the server. {_MEND}",
        )
    if name.endswith(".wim") and not part.data.startswith(b"MSWIM\0\0\0"):
        return fault(f"{name} does not begin like a WIM", _MEND)
    same = " and begins as what was published" if known else ""
    return ok(f"{name} can be had ({human(part.size)}){same}")


def shown(name: str) -> str:
    """A name or URL without what it says of the machine."""
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
    match fetched.trouble, "://" in name:
        case "missing", _:
            return fault(
                f"{name} is not there: {words} [PXE-E3B]",
                "Update Distribution Points, and restart the site so that it takes up its boot"
                " programs (packages ipxe, grub-efi-ia32-bin).",
            )
        case "silent", False:
            return fault(
                f"nothing comes by TFTP for {name} [PXE-E32]",
                "Open UDP port 69 on the server, and let it answer from any port: TFTP transfers"
                " have ports of their own.",
            )
        case "silent" | "unreachable", True:
            return fault(
                f"{name} cannot be reached: {words or 'no answer'}",
                "Open the boot HTTP port (TCP) on the server and see that `netboot http` runs.",
            )
        case "broken", _:
            return fault(
                f"the transfer of {name} stopped half way: {words} [PXE-E35]",
                "A firewall or a path with a smaller MTU eats packets: try block size 1024.",
            )
    return fault(f"{name} was refused: {words} [PXE-E36]", "See the boot log for the reason.")


def _promised(name: str, expected: Expectation) -> Promised | None:
    _, scheme, rest = name.partition("://")
    if scheme:
        return expected.promised_at("/" + shown(rest.partition("/")[2]))
    return expected.promised(name)


def _comparison(fetched: Fetched, promised: Promised | None, *, known: bool) -> list[Finding]:
    name, size = shown(fetched.name), human(len(fetched.data))
    if made_for(fetched.data) == "script":
        return [ok(f"{name} is a script of {size}")]
    if promised is None:
        words = f"{name} came whole ({size})"
        if known:
            return [warning(f"{words}, but is not among what is published", "Publish it anew.")]
        return [info(f"{words}; without a list of digests it was not compared")]
    if fetched.digest == promised.digest:
        return [ok(f"{name} came whole ({size}) and is what was published")]
    return [_altered(fetched, fetched.digest, promised)]


def _altered(fetched: Fetched, digest: str, promised: Promised) -> Finding:
    return fault(
        f"{shown(fetched.name)} is not what was published: {digest[:19]}… instead of"
        f" {promised.digest[:19]}…",
        "It was altered on the way or on the server. Verify the distribution point and update"
        " it; if it stays so, look who else answers under this address.",
    )


def _fitness(kind: Kind, fetched: Fetched) -> list[Finding]:
    name, actual = shown(fetched.name), made_for(fetched.data)
    if actual == kind.runs:
        return [ok(f"{name} is {name_of(actual)}")] if actual != "script" else []
    return [
        fault(
            f"{name} is {name_of(actual)}, which a {kind.title} cannot start",
            "Publish an image of the right architecture, and boot programs of the right package.",
        )
    ]
