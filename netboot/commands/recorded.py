"""What was changed on the command line stands in the audit log, too."""

import getpass
import os
from collections.abc import Sequence
from pathlib import Path

SERVICES = {"run", "boot", "http", "projector", "worker", "check", "completion"}
ONLY_TELLING = {"boots", "export", "network", "plan"}
"""Subjects that change nothing, whatever follows."""

READING = {
    "altered",
    "choices",
    "code",
    "compare",
    "conflicts",
    "coverage",
    "deliveries",
    "export",
    "hours",
    "list",
    "log",
    "match",
    "plan",
    "save",
    "screenshot",
    "search",
    "servers",
    "sessions",
    "show",
    "status",
    "tokens",
    "verify",
    "versions",
    "wait",
}
CHANGING = ("--delete", "--fix", "--remove-unneeded")
"""Options by which a verb that reads changes something after all."""

ROOMS = {
    "account": "accounts",
    "deployment": "deployments",
    "driver": "drivers",
    "image": "images",
    "job": "jobs",
    "machine": "machines",
    "points": "images",
    "test-machine": "test_machines",
    "webhook": "webhooks",
    "wimboot": "boot_chains",
}
"""What pages and API call the subject of a command."""

SECRET_OPTIONS = ("--password", "--secret", "--token")


def changes(words: Sequence[str]) -> bool:
    """Whether these words of a command change something: every verb that is not known to read."""
    if (
        not words
        or words[0] in SERVICES | ONLY_TELLING
        or any(word in {"-h", "--help"} for word in words)
    ):
        return False
    verb = next((word for word in words[1:] if not word.startswith("-")), "")
    return verb not in READING or any(word in CHANGING for word in words)


def record(data: Path, words: Sequence[str]) -> None:
    """Write into the audit log what was done, as whoever is at the keyboard."""
    import logging

    import structlog

    from netboot.commands.output import open_site
    from netboot.images.boot_image.boot_image import slug
    from netboot.operations.accounts import audit

    # The answer goes to standard output; a line of log between would spoil it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    verb = next((word for word in words[1:] if not word.startswith("-")), "")
    rest = [word for word in words[1:] if word != verb]
    named = next((word for word in rest if not word.startswith("-")), "")
    room = ROOMS.get(words[0], words[0])
    if room == "images" and named:
        named = slug(named)
    audit.record(
        open_site(data),
        actor=os.environ.get("SUDO_USER") or getpass.getuser(),
        via=audit.VIA_CLI,
        action=f"{room}.{verb.replace('-', '_')}".rstrip("."),
        subject=f"{room}/{named}".rstrip("/"),
        details={"words": " ".join(_without_secrets(rest))},
    )


def _is_secret(name: str) -> bool:
    """Whether NAME=VALUE, as `netboot settings set` takes it, has a value to be kept secret."""
    from netboot.operations.accounts.audit import SECRET_WORDS

    return any(word in name.lower() for word in SECRET_WORDS)


def _without_secrets(words: Sequence[str]) -> list[str]:
    told: list[str] = []
    for place, word in enumerate(words):
        name, separator, _ = word.partition("=")
        if place and words[place - 1] in SECRET_OPTIONS:
            told.append("…")
        elif separator and (name in SECRET_OPTIONS or _is_secret(name)):
            told.append(f"{name}=…")
        else:
            told.append(word)
    return told
