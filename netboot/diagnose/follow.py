"""Fetches what a boot server names: the boot program, and the files that the program loads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from netboot.diagnose.asking import fetch, script
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.asking.program import is_ipxe, made_for
from netboot.diagnose.evidence import architectures_for
from netboot.diagnose.expectation import HEAD_SIZE, Expectation

_MOST_PARTS: Final = 8
MOST_STEPS: Final = 8
"""Scripts or programs that may lead to one another before we call it a loop."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a script leads: the files on the way, and what is wrong with the way itself.

    `hands_over` is an iPXE that every machine starts in the end, by its URL. `loop` names what
    leads back to itself.
    """

    parts: tuple[Fetched, ...] = ()
    hands_over: str = ""
    loop: str = ""


def fetch_program(reply: Reply | None, kind: Kind) -> Fetched | None:
    """The boot program that a reply names, if it names one."""
    if reply is None or not reply.file:
        return None
    place = urlsplit(reply.file)
    if place.scheme in {"http", "https"}:
        # Firmware does not follow redirects, iPXE does.
        return fetch.by_http(reply.file, redirects=kind.ipxe)
    if place.scheme == "tftp" and place.hostname:  # iPXE takes URLs of any kind
        found = fetch.by_tftp(place.hostname, place.path.lstrip("/"))
        return Fetched(reply.file, found.data, found.trouble, found.words, found.size)
    return fetch.by_tftp(reply.boot_server, reply.file)


def known_to_ipxe(reply: Reply | None, mac: str) -> dict[str, str]:
    """The settings that scripts use and a check knows, by their names without `net0/`."""
    if reply is None:
        return {}
    known = {
        "mac": mac,
        "mac:hexhyp": mac.replace(":", "-"),
        "mac:hexraw": mac.replace(":", ""),
        "next-server": reply.boot_server,
        "proxydhcp/next-server": reply.boot_server,
        "filename": reply.file,
        "proxydhcp/filename": reply.file,
    }
    cards = {f"{card}/{name}": value for name, value in known.items() for card in ("net0", "netx")}
    return known | cards


def fetch_parts(kind: Kind, expected: Expectation, *, whole: bool = False) -> tuple[Fetched, ...]:
    """The files of the default image, which a program that is no script loads.

    Their first bytes show that the server has them, and how large they are; `whole` reads them
    completely.
    """
    image = expected.image_for(architectures_for(kind))
    if image is None:
        return ()
    site = f"http://{expected.server}:{expected.http_port}{image.path}"
    largest = sorted(image.files, key=lambda name: image.files[name].size, reverse=True)
    return tuple(_fetch_part(site + name, whole=whole) for name in largest[:_MOST_PARTS])


def follow_script(
    program: Fetched, known: Mapping[str, str], *, whole: bool = False, server: str = ""
) -> Followed:
    """The files that a script names, and those of the scripts that it chains to for certain.

    `server` has the script if its name is no URL, because it came by TFTP.
    """
    parts: dict[str, Fetched] = {}
    at = program if "://" in program.name else _renamed(program, f"tftp://{server}/{program.name}")
    passed = [at.name]
    while True:
        text = at.data.decode("utf-8", errors="replace")
        onward = script.chained_for_certain(text, known)
        onward = _joined(at.name, onward) if onward else ""
        for url in [_joined(at.name, name) for name in script.files_named(text, known)]:
            if url != onward and len(parts) < _MOST_PARTS:
                parts.setdefault(url, _fetch_part(url, whole=whole))
        found = tuple(parts.values())
        if not onward:
            return Followed(found)
        if onward in passed or len(passed) >= MOST_STEPS:
            return Followed(found, loop=" → ".join([*passed, onward][-3:]))
        at = _fetch_next(onward, whole=whole)
        passed.append(onward)
        if is_ipxe(onward, at.data) and not at.trouble:
            return Followed((*found, at), hands_over=onward)
        if made_for(at.data) != "script":
            return Followed((*found, at))


def _joined(base: str, name: str) -> str:
    """A URL that a script at `base` names; urllib joins no relative names to tftp URLs."""
    if not base.startswith("tftp://") or "://" in name:
        return urljoin(base, name)
    return "tftp" + urljoin("http" + base.removeprefix("tftp"), name).removeprefix("http")


def _renamed(fetched: Fetched, name: str) -> Fetched:
    return Fetched(name, fetched.data, fetched.trouble, fetched.words, fetched.size)


def _fetch_next(url: str, *, whole: bool) -> Fetched:
    """What a script chains to: all of another script or an iPXE, as a part of anything else."""
    head = _fetch_part(url, whole=False)
    if made_for(head.data) == "script" or (is_ipxe(url) and not head.trouble):
        return _fetch_part(url, whole=False, head=0)
    return _fetch_part(url, whole=whole) if whole else head


def _fetch_part(url: str, *, whole: bool, head: int = HEAD_SIZE) -> Fetched:
    found = urlsplit(url)
    if found.scheme == "tftp" and found.hostname:
        return _renamed(fetch.by_tftp(found.hostname, found.path.lstrip("/")), url)
    return fetch.by_http(url, head=head, whole=whole, redirects=True)
