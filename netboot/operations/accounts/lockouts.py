"""Sign-in attempts: who has guessed too often, until when, and how that ends earlier.

Failures count for a name and an address together, so guessing from elsewhere does not lock the
owner of an account out. An address that tries many names is locked out as a whole. An IPv6 address
counts as its /64 network, which one client has to itself (RFC 6177).
"""

import hashlib
import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass

from netboot.errors import TooManyAttempts
from netboot.operations.accounts import accounts
from netboot.site import Site
from netboot.store.database.shared_counts import SharedCounts

WINDOW_SECONDS = 15 * 60.0
TRIES_OF_NAME, TRIES_OF_ADDRESS = 5, 20
_PREFIX = "sign-in "


@dataclass(frozen=True, slots=True)
class Lockout:
    """A name that cannot sign in from an address until `until` (epoch seconds).

    Without a name no user can sign in from there.
    """

    name: str
    address: str
    until: float


def begin_attempt(site: Site, name: str, address: str) -> None:
    """Count an attempt before the password is looked at: simultaneous guesses count as well.

    Raises TooManyAttempts.
    """
    counts, now = _counts(site), time.time()
    for key, limit in _keys(site, name, address):
        if counts.find(key)[0] >= limit or counts.add(key, 1, WINDOW_SECONDS) > limit:
            wait = max(1.0, counts.find(key)[1] - now)
            raise TooManyAttempts(
                f"too many failed attempts to sign in, so wait {in_minutes(wait)}",
                hint="An administrator can unlock you on the page Users, and"
                " `netboot account unlock NAME` does it on the server.",
                seconds=wait,
            )


def end_attempt(site: Site, name: str, address: str) -> None:
    """The attempt succeeded: it does not count."""
    counts = _counts(site)
    (own, _), (whole, _) = _keys(site, name, address)
    counts.delete(own)
    if counts.find(whole)[0]:
        counts.add(whole, -1, WINDOW_SECONDS)


def is_locked(site: Site, name: str, address: str) -> bool:
    counts = _counts(site)
    return any(counts.find(key)[0] >= limit for key, limit in _keys(site, name, address))


def list_lockouts(site: Site) -> list[Lockout]:
    """All lock-outs of accounts, and of whole addresses, the longest first.

    Names that no account has are left out: people type passwords there.
    """
    found = []
    for key, count, until in _counts(site).list_counts(_PREFIX):
        address, _, name = key.removeprefix(_PREFIX).partition(" ")
        limit = TRIES_OF_NAME if name else TRIES_OF_ADDRESS
        if count >= limit and not name.startswith("#"):
            found.append(Lockout(name, address, until))
    return sorted(found, key=lambda one: (-one.until, one.name, one.address))


def lockouts_of(found: list[Lockout], name: str) -> list[Lockout]:
    """Those that keep an account out: its own and those of whole addresses."""
    return [one for one in found if one.name in {name, ""}]


def unlock(site: Site, name: str) -> list[Lockout]:
    """End the lock-outs that keep an account out; returns them. Raises NotFound."""
    account = accounts.get_account(site, name)
    ended, counts = lockouts_of(list_lockouts(site), account.name), _counts(site)
    for one in ended:
        counts.delete(_key(one.address, one.name))
    return ended


def in_minutes(seconds: float) -> str:
    """A waiting time in words, rounded up."""
    minutes = max(1, -int(-seconds // 60))
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


def _keys(site: Site, name: str, address: str) -> Iterator[tuple[str, int]]:
    place = _place(address)
    yield _key(place, _known(site, name)), TRIES_OF_NAME
    yield _key(place, ""), TRIES_OF_ADDRESS


def _key(place: str, name: str) -> str:
    return f"{_PREFIX}{place} {name}"


def _known(site: Site, name: str) -> str:
    """The account that is meant; a digest for an unknown name, which may be a password."""
    typed = name.strip().lower()
    found = (one.name for one in accounts.list_accounts(site) if one.name.lower() == typed)
    return next(found, "#" + hashlib.sha256(typed.encode()).hexdigest()[:16])


def _place(address: str) -> str:
    """The address, or the network of an IPv6 client."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _counts(site: Site) -> SharedCounts:
    return SharedCounts(site.web_folder / "limits.db")
