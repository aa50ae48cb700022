"""`netboot settings`: the settings, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netboot.commands.output import on_site, print_list
from netboot.commands.recorded import Verbs
from netboot.operations import settings as operations

if TYPE_CHECKING:
    from netboot.operations.settings import SettingsView
    from netboot.site import Site


@click.group(cls=Verbs)
def settings() -> None:
    """Settings that the site reads at start-up."""


@settings.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all settings, and where each comes from."""
    _tell(operations.read_settings(site), json_=json_)


@settings.command("set", changes=True)
@click.argument("changes", metavar="NAME=VALUE...", nargs=-1, required=True)
@on_site
def set_(site: Site, changes: tuple[str, ...], *, json_: bool) -> None:
    """Write settings into netboot.toml; they take effect after a restart.

    An empty VALUE restores the default. Items of a list are separated by commas.
    """
    lists = {one.name for one in operations.read_settings(site).settings if one.is_list}
    texts = {}
    for change in changes:
        name, found, value = change.partition("=")
        if not found:
            raise click.UsageError(f"{change!r} is not NAME=VALUE.")
        parts = [part.strip() for part in value.split(",")] if name in lists else [value]
        texts[name.strip()] = "\n".join(parts)
    _tell(operations.change_settings(site, texts), json_=json_)


def _tell(view: SettingsView, *, json_: bool) -> None:
    rows = (
        (
            one.name,
            one.text.replace("\n", ", ") or "-",
            one.origin,
            one.default.replace("\n", ", ") or "-",
            ", ".join(value or "(empty)" for value, _ in one.choices) or "-",
        )
        for one in view.settings
    )
    print_list(view, ("Setting", "Value", "From", "Default", "Choices"), rows, json_=json_)
