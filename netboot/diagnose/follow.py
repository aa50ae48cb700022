"""Fetches what a boot server names: the boot program, and the files that the program loads."""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from netboot.diagnose.asking import fetch
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.asking.program import made_for
from netboot.diagnose.evidence import architectures_for
from netboot.diagnose.expectation import HEAD_SIZE, Expectation

_MOST_PARTS: Final = 8
_PART: Final = re.compile(
    r"^\s*(?:kernel|initrd|module|chain)\s+(?:-\S+\s+\S+\s+)*(\S+)", re.MULTILINE
)


def fetch_program(reply: Reply | None) -> Fetched | None:
    """The boot program that a reply names, if it names one."""
    if reply is None or not reply.file:
        return None
    if reply.file.startswith(("http://", "https://")):
        return fetch.by_http(reply.file)
    return fetch.by_tftp(reply.boot_server, reply.file)


def fetch_parts(
    program: Fetched, kind: Kind, expected: Expectation, *, whole: bool = False
) -> tuple[Fetched, ...]:
    """The files that the program loads: those that a script names, or those of the default image.

    Their first bytes show that the server has them, and how large they are; `whole` reads them
    completely.
    """
    if made_for(program.data) == "script":
        return tuple(_fetch_part(url, whole=whole) for url in _named_in(program))
    image = expected.image_for(architectures_for(kind))
    if image is None:
        return ()
    site = f"http://{expected.server}:{expected.http_port}{image.path}"
    largest = sorted(image.files, key=lambda name: image.files[name].size, reverse=True)
    return tuple(_fetch_part(site + name, whole=whole) for name in largest[:_MOST_PARTS])


def _named_in(program: Fetched) -> list[str]:
    """The URLs in a script, without those that only the machine itself can expand."""
    script = program.data.decode("utf-8", errors="replace")
    names = dict.fromkeys(name for name in _PART.findall(script) if "${" not in name)
    return [urljoin(program.name, name) for name in list(names)[:_MOST_PARTS]]


def _fetch_part(url: str, *, whole: bool) -> Fetched:
    found = urlsplit(url)
    if found.scheme == "tftp" and found.hostname:
        return fetch.by_tftp(found.hostname, found.path.lstrip("/"))
    return fetch.by_http(url, head=HEAD_SIZE, whole=whole)
