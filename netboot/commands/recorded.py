"""Each verb declares whether it changes the site; what a changing verb did is recorded.

@image.command("list", changes=False)
@image.command("delete", changes=True)
@image.command("coverage", changes=("fix", "remove_unneeded"))  # only with these options
"""

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from netboot.errors import NetbootError

ROOMS = {
    "account": "accounts",
    "apply": "declaration.apply",
    "deployment": "deployments",
    "driver": "drivers",
    "driver pair": "known_pairs",
    "image": "images",
    "job": "jobs",
    "lab-pe": "lab_pe",
    "machine": "machines",
    "points": "images",
    "test-machine": "test_machines",
    "webhook": "webhooks",
    "wimboot": "boot_chains",
}
"""What the audit log calls a subject, if page and API call it differently."""

SECRET_OPTIONS = ("--password", "--secret", "--token")
WORDS = "netboot.words"


class Verb(click.Command):
    """A command that declares what it changes: all, nothing, or something with these options."""

    def __init__(self, *args: Any, changes: bool | tuple[str, ...], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.changes = changes

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words for the audit log."""
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; note before it what it changes, and record it when it is done."""
        if not (self.changes is True or any(map(ctx.params.get, self.changes or ()))):
            return super().invoke(ctx)
        with _recorded(ctx):
            return super().invoke(ctx)


class Verbs(click.Group):
    """A group of such commands. The group itself changes nothing."""

    command_class = Verb
    group_class = type


@contextmanager
def _recorded(ctx: click.Context) -> Iterator[None]:
    """Write into the audit log what the user of this terminal did.

    If that fails beforehand, nothing is changed; if it fails afterwards, the entry follows.
    """
    import logging

    import structlog

    from netboot.commands.output import open_site
    from netboot.operations.accounts import audit

    # The answer goes to standard output: no log line may come between.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    site, entry = open_site(ctx.obj), _entry(ctx)
    pending = audit.begin(site, **entry)
    try:
        yield
    except (NetbootError, click.ClickException, click.Abort):
        audit.drop(site, pending)
        raise
    except click.exceptions.Exit as end:
        audit.finish(site, pending, **entry) if end.exit_code == 0 else audit.drop(site, pending)
        raise
    except BaseException:  # a bug or Ctrl-C: something may have been changed
        audit.finish(site, pending, **entry, outcome=audit.FAILED)
        raise
    if not audit.finish(site, pending, **entry):
        click.echo("The change is made; its audit entry could not be written yet.", err=True)


def who() -> str:
    """Who is at this terminal, for the audit log."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _entry(ctx: click.Context) -> dict[str, Any]:
    from netboot.images.boot_image.boot_image import slug
    from netboot.operations.accounts import audit

    *groups, verb = ctx.command_path.split()[1:]
    subject = " ".join(groups)
    action = f"{ROOMS.get(subject, subject)}.{verb.replace('-', '_')}" if groups else ROOMS[verb]
    room = action.partition(".")[0]
    named = _named(ctx)
    if room == "images" and named:
        named = slug(named)
    return {
        "actor": who(),
        "via": audit.VIA_CLI,
        "action": action,
        "subject": f"{room}/{named}".rstrip("/"),
        "details": {"words": " ".join(_without_secrets(ctx.meta[WORDS]))},
    }


def _named(ctx: click.Context) -> str:
    """The command's first argument, or the first of several."""
    arguments = [one.name for one in ctx.command.params if isinstance(one, click.Argument)]
    value = ctx.params.get(arguments[0] or "") if arguments else None
    first = value[0] if isinstance(value, tuple) and value else value
    return _without_secrets([str(first)])[0] if first else ""


def _without_secrets(words: Sequence[str]) -> list[str]:
    from netboot.operations.accounts.audit import SECRET_WORDS

    shown: list[str] = []
    for place, word in enumerate(words):
        name, separator, _ = word.partition("=")
        # NAME=VALUE, as `netboot settings set` takes it, may hold a secret, too.
        is_secret = name in SECRET_OPTIONS or any(part in name.lower() for part in SECRET_WORDS)
        if place and words[place - 1] in SECRET_OPTIONS:
            shown.append("…")
        elif separator and is_secret:
            shown.append(f"{name}=…")
        else:
            shown.append(word)
    return shown
