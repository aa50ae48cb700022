"""Tickets behind one-time links: a token gives a file once, until it expires.

    points/site/tickets/<SHA-256 of the token>.json

The token itself is not stored. Taking a ticket renames its file first, which succeeds for only one
of two simultaneous requests; so the boot HTTP service needs no database and no lock.
"""

import base64
import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.content.point_folder import write_json

TOKEN_BYTES = 24
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A file for one download: name, content type, bytes; `about` are image and version."""

    name: str
    kind: str
    data: bytes
    about: tuple[str, int]


class Tickets:
    """The tickets of a distribution point."""

    def __init__(self, point: Path) -> None:
        self._folder = point / "tickets"

    def issue(self, ticket: Ticket, *, now: float, until: float) -> str:
        """The token of a new ticket; deletes expired ones. Times are epoch seconds.

        Raises OperatorFault if the disk is full.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as fault:
            raise explain_disk_fault(fault, self._folder) from fault
        self._forget(now)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        held = {
            "name": ticket.name,
            "kind": ticket.kind,
            "data": base64.b64encode(ticket.data).decode("ascii"),
            "about": list(ticket.about),
            "until": until,
        }
        write_json(self._path(token), held)
        return token

    def take(self, token: str, *, now: float) -> Ticket | None:
        """Take the ticket; None if it is unknown, taken or expired."""
        if not _TOKEN.fullmatch(token):
            return None
        path = self._path(token)
        taken = path.with_suffix(f".taken-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            path.rename(taken)
        except OSError:
            return None
        try:
            held = json.loads(taken.read_text())
        finally:
            taken.unlink()
        if held["until"] < now:
            return None
        data = base64.b64decode(held["data"])
        return Ticket(held["name"], held["kind"], data, (held["about"][0], held["about"][1]))

    def _forget(self, now: float) -> None:
        for path in self._folder.glob("*.json"):
            try:
                if json.loads(path.read_text())["until"] < now:
                    path.unlink(missing_ok=True)
            except FileNotFoundError:
                pass  # taken meanwhile

    def _path(self, token: str) -> Path:
        return self._folder / f"{hashlib.sha256(token.encode()).hexdigest()}.json"
