"""The boot network: requests and their answers, other servers, checks and recordings."""

import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from netboot.boot.told.check_machines import is_made_up
from netboot.boot.told.events import (
    DhcpStarted,
    ForeignOffer,
    OfferSent,
    RequestIgnored,
    RequestsCounted,
)
from netboot.errors import InvalidInput, OperatorFault
from netboot.formats.pcap import HOW_TO_RECORD, may_be_recording
from netboot.operations import jobs, lab
from netboot.operations.boots.networks import ServedNetwork, find_network
from netboot.operations.jobs import JobKind
from netboot.site import Site

KINDS = (
    ("bios", "BIOS PC"),
    ("uefi-x64", "64-bit UEFI PC"),
    ("uefi-x86", "32-bit UEFI PC"),
    ("uefi-arm64", "64-bit ARM UEFI machine"),
    ("http-x64", "64-bit UEFI PC, HTTP boot"),
    ("http-x86", "32-bit UEFI PC, HTTP boot"),
    ("ipxe-bios", "iPXE on a BIOS PC"),
    ("ipxe-x64", "iPXE on a 64-bit UEFI PC"),
)
"""The machines that a check can pretend to be; netboot.diagnose.asking.firmware loads scapy."""

PATIENCE = (4, 10)
"""Seconds to wait for offers that may be chosen; firmware waits 4 s and asks again."""

DECISIONS_SHOWN = 100
LARGEST_CAPTURE = 256 << 20
"""Bytes of a recording; a boot without its image's bytes has some 100 KB."""

DECISIONS_SEARCHED = 100_000
"""How many of the newest journal entries a search reads."""

_SILENCE_SECONDS = 1.0
_WORDS_OF_FAILURE = 2000


@dataclass(frozen=True, slots=True)
class Decision:
    """A request (`at` epoch seconds) and its answer, or without a `file` why it was ignored."""

    at: float
    mac: str
    ip: str
    port: int
    file: str
    label: str
    reason: str
    warning: str = ""

    @property
    def ignored(self) -> bool:
        return not self.file

    def contains(self, words: Sequence[str]) -> bool:
        """Whether all these words, in lower case, occur in it."""
        fields = (self.mac, self.ip, self.file, self.label, self.reason, self.warning)
        text = "\n".join(fields).lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class OtherServer:
    """Another boot server. Times are epoch seconds; `mac` is the machine that it answered last."""

    server: str
    file: str
    mac: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Serving:
    """What our proxyDHCP serves since `since`; `notes` say what it cannot do here, and the fix.

    `counts` are its requests since then, by service, at most half a minute old.
    """

    since: float
    interface: str
    address: str
    ports: str
    notes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]


def decisions(
    site: Site, limit: int = DECISIONS_SHOWN, *, ignored_only: bool = False, search: str = ""
) -> list[Decision]:
    """The newest decisions first, only those with all words of `search`. Raises ContentFault."""
    kinds = (RequestIgnored,) if ignored_only else (RequestIgnored, OfferSent)
    words = search.lower().split()
    found: list[Decision] = []
    for looked_at in (limit, 4 * limit):  # the second time if a check has just asked a lot
        entries = site.journal.latest_of(
            *kinds, limit=looked_at, within=DECISIONS_SEARCHED, containing=words
        )
        made = (
            _decision(entry.event)
            for entry in entries
            if isinstance(entry.event, RequestIgnored | OfferSent)
            and not is_made_up(entry.event.mac)
        )
        found = list(islice((one for one in made if one.contains(words)), limit))
        if len(found) == limit or len(entries) < looked_at:
            break
    return found


def other_servers(site: Site) -> list[OtherServer]:
    """Other boot servers that were seen recently, newest first. Raises ContentFault."""
    found: dict[tuple[str, str], OtherServer] = {}
    for entry in site.journal.latest_of(ForeignOffer, limit=1000):
        event = entry.event
        if not isinstance(event, ForeignOffer):
            continue
        key = (event.server, event.file)
        newer = found.get(key)
        last, mac = (newer.last, newer.mac) if newer else (event.at, event.mac)
        found[key] = OtherServer(*key, mac, event.at, last)
    return sorted(found.values(), key=lambda one: one.last, reverse=True)


def serving(site: Site) -> Serving | None:
    """What our proxyDHCP reported at its last start, or None. Raises ContentFault."""
    entry = site.journal.latest_start()
    if entry is None or not isinstance(event := entry.event, DhcpStarted):
        return None
    notes = tuple(filter(None, event.notes.split("\n\n")))
    counts = _counts(site, event.at)
    return Serving(event.at, event.interface, event.address, event.ports, notes, counts)


def _counts(site: Site, since: float) -> dict[str, dict[str, int]]:
    """The newest counts of each service, summed over its processes."""
    newest: dict[tuple[str, int], RequestsCounted] = {}
    for entry in site.journal.latest_counts():
        event = entry.event
        if isinstance(event, RequestsCounted) and event.at >= since:
            newest.setdefault((event.service, event.process), event)
    found: dict[str, Counter[str]] = {}
    for (service, _), event in sorted(newest.items(), key=lambda item: item[0]):
        with suppress(ValueError, TypeError, AttributeError):  # a row that was edited
            found.setdefault(service, Counter()).update(json.loads(event.counts))
    return {service: dict(counts) for service, counts in found.items()}


def ask_check(
    site: Site,
    kinds: tuple[str, ...] = (),
    *,
    patience: int = PATIENCE[0],
    whole: bool = False,
    network: str = "",
) -> jobs.JobView:
    """Queue a check of a boot network, by default the first one.

    Raises InvalidInput for unknown kinds of machine, NotFound for an unknown network.
    """
    names = dict(KINDS)
    for kind in kinds:
        if kind not in names:
            raise InvalidInput(f"there is no kind of machine {kind[:40]!r}",
                               hint=f"Choose one of {', '.join(names)}.")  # fmt: skip
    if patience not in PATIENCE:
        raise InvalidInput(f"a check cannot wait for {patience} seconds")
    asked = ", ".join(names[kind] for kind in kinds) if kinds else "all kinds of machine"
    in_network = {"network": network} if network else {}
    if network:
        asked += f", on {_checkable(site, network).interface}"
    return jobs.submit(
        site,
        JobKind.CHECK_NETWORK,
        {"kinds": list(kinds), "patience": patience, "whole": whole} | in_network,
        title=f"Network check: {asked}",
    )


def list_checks(site: Site, limit: int = 5) -> list[jobs.JobView]:
    return jobs.list_jobs(site, limit, kind=JobKind.CHECK_NETWORK)


def ask_capture(site: Site, path: Path) -> jobs.JobView:
    """Queue the analysis of a recorded boot. Raises InvalidInput for other files."""
    size, name = path.stat().st_size, path.name
    if size > LARGEST_CAPTURE:
        raise InvalidInput(
            f"{name} has {size >> 20} MiB; at most {LARGEST_CAPTURE >> 20} MiB are read",
            hint="Record one boot, or leave out the image's bytes:"
            " `tcpdump -s 400 -w boot.pcap 'ether host 52:54:00:12:34:56'`.",
        )
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise InvalidInput(f"{name} is empty", hint=HOW_TO_RECORD)
    if not may_be_recording(head):
        raise InvalidInput(
            f"{name} is not a network recording: it is neither pcap nor pcapng", hint=HOW_TO_RECORD
        )
    return jobs.submit(
        site, JobKind.READ_CAPTURE, {"path": str(path)}, title=f"Recorded boot: {name}"
    )


def list_captures(site: Site, limit: int = 5) -> list[jobs.JobView]:
    return jobs.list_jobs(site, limit, kind=JobKind.READ_CAPTURE)


def explain_capture(path: Path) -> Iterator[dict[str, Any]]:
    """What `netboot check --capture` prints: `story` or `failed`; `silent` each idle second."""
    words = ("--json-lines", "--capture", str(path))
    yield from follow_check([sys.executable, "-m", "netboot.diagnose", *words])


def run_check(
    site: Site,
    kinds: Sequence[str] = (),
    *,
    patience: int = PATIENCE[0],
    whole: bool = False,
    network: str = "",
) -> Iterator[dict[str, Any]]:
    """Check a network that this site serves: `asking`, each `verdict`, `done` or `failed`.

    Each idle second yields `silent`; closing the iterator ends the check. Raises OperatorFault if
    boot services never ran here.
    """
    words = ["--patience", str(patience), *(["--whole"] if whole else [])]
    words += [word for kind in kinds for word in ("--kind", kind)]
    if lab.lab_status(site).is_the_network:
        yield from lab.check_network(site, words)
        return
    known: Serving | ServedNetwork | None
    known = _checkable(site, network) if network else serving(site)
    if known is None:
        raise OperatorFault(
            "the boot services have never served a network here",
            hint="Start the site with an interface: `netboot run --interface eth0`.",
        )
    place = ("--interface", known.interface, "--server", known.address)
    yield from follow_check(check_command(site, *place, *words))


def _checkable(site: Site, network: str) -> ServedNetwork:
    """The network of this name, if a check on this host can ask in it."""
    found = find_network(site, network)
    if found.state != "serves" or not found.interface:
        raise InvalidInput(
            f"the network {network} cannot be checked from this host, which has no address in it",
            hint="Run `netboot check` on a host in that network.",
        )
    return found


def check_command(site: Site, *words: str) -> list[str]:
    """`netboot check` in a process of its own, which prints JSON lines."""
    data = str(site.data.resolve())
    return [sys.executable, "-m", "netboot.diagnose", "--data", data, "--json-lines", *words]


def follow_check(command: list[str]) -> Iterator[dict[str, Any]]:
    """The events that this command prints; closing the iterator ends it."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield from _events(process)
        finally:
            if process.poll() is None:
                process.terminate()


def _events(process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    output = {"out": b"", "err": b""}
    with selectors.DefaultSelector() as selector:
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            selector.register(stream, selectors.EVENT_READ, name)  # type: ignore[arg-type]
        while selector.get_map():
            ready = selector.select(_SILENCE_SECONDS)
            if not ready:
                yield {"event": "silent"}
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                if not part:
                    selector.unregister(key.fileobj)
                output[key.data] += part
            *lines, output["out"] = output["out"].split(b"\n")
            for line in lines:
                with suppress(ValueError):  # printed by a library
                    yield json.loads(line)
    if process.wait() not in {0, 1}:
        yield _failure(output["err"].decode(errors="replace"))


def _failure(words: str) -> dict[str, Any]:
    """What `netboot check` printed as its message and hint."""
    message, _, hint = words.strip()[-_WORDS_OF_FAILURE:].partition("\n  -> ")
    return {
        "event": "failed",
        "reason": message.removeprefix("netboot check: ") or "the check ended without a message",
        "hint": hint,
    }


def _decision(event: RequestIgnored | OfferSent) -> Decision:
    if isinstance(event, RequestIgnored):
        return Decision(event.at, event.mac, event.ip, event.port, "", "", event.reason)
    label = f"{event.image} v{event.version}" if event.image else ""
    return Decision(
        event.at, event.mac, event.ip, event.port, event.file, label, event.reason, event.warning
    )
