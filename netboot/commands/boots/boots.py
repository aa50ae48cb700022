"""`netboot boots`: what machines did."""

import time
from typing import TYPE_CHECKING

import click

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.error_codes import CODES, look_up
from netboot.commands.output import (
    as_json,
    caught_up,
    local_time,
    on_caught_up_site,
    open_site,
    print_json,
    print_list,
    print_table,
)
from netboot.commands.recorded import Verbs
from netboot.errors import NotFound
from netboot.operations.boots import boots as operations
from netboot.operations.machines.missing_drivers import find_fitting
from netboot.site import Site

if TYPE_CHECKING:
    from pathlib import Path


@click.group(invoke_without_command=True, cls=Verbs)
@click.option("--limit", default=20, show_default=True, help="How many boots, newest first.")
@click.option("--steps", is_flag=True, help="Show every step of each boot.")
@as_json
@click.pass_context
def boots(ctx: click.Context, limit: int, *, steps: bool, json_: bool) -> None:
    """Show what machines did, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    data: Path = ctx.obj
    now = time.time()
    found = operations.attempts(caught_up(open_site(data)), limit)
    if steps and not json_:
        for attempt in found:
            click.echo(f"{attempt.machine}   {attempt.outcome(now)}   {attempt.why(now)}")
            for step in attempt.steps:
                click.echo(f"  {local_time(step.at, '%H:%M:%S')}  {step.text}")
        return
    rows = (
        (
            one.machine,
            local_time(one.began, "%H:%M:%S"),
            one.rung.words,
            one.label or "-",
            one.driver or "-",
            one.why(now) or "-",
        )
        for one in found
    )
    titles = ("Machine", "Began", "State", "Image", "Driver", "Why")
    print_list([_plain(one, now) for one in found], titles, rows, json_=json_)


@boots.command(changes=False)
@click.argument("boot")
@on_caught_up_site
def show(site: Site, boot: str, *, json_: bool) -> None:
    """Show boot BOOT (its id from --json): each step, and the cause of a failure."""
    now = time.time()
    found = operations.story(site, boot, now=now)
    wrong = found.diagnosis
    fitting = find_fitting(site, found.attempt.missing, found.attempt.image)
    drivers = fitting.drivers if fitting else ()
    if json_:
        names = [f"{driver.name} {driver.version}" for driver in drivers]
        plain = {"files": found.fetches, "finding": wrong, "fitting_drivers": names}
        print_json({**_plain(found.attempt, now), **plain})
        return
    click.echo(f"{found.attempt.machine}   {found.attempt.outcome(now)}")
    for line in found.lines:
        click.echo(f"  {line.after:8.1f} s  {line.text}")
    if wrong:
        click.echo(f"  cause: {wrong.cause}")
        for cure in wrong.cures:
            click.echo(f"  -> {cure}")
        for driver in drivers:
            click.echo(f"  -> the catalog holds {driver.name} {driver.version} for it")
        if wrong.codes:
            click.echo(f"  the screen may show {', '.join(code.code for code in wrong.codes)}")


@boots.command(changes=False)
@click.option("--last", "count", default=24, type=click.IntRange(1, 744), show_default=True)
@on_caught_up_site
def hours(site: Site, count: int, *, json_: bool) -> None:
    """Show how many boots came online and how many did not, hour by hour."""
    found = operations.by_hour(site, count)
    starts = (local_time(at, "%m-%d %H:00") for at in found.starts)
    rows = zip(starts, found.online, found.other, strict=True)
    print_list(found, ("Hour", "Online", "Other"), rows, json_=json_)


@boots.command(changes=False)
@click.argument("code", required=False, default="")
@as_json
def code(code: str, *, json_: bool) -> None:
    """Explain CODE from a machine's screen, like PXE-E55 or 0xc000000f; without it, list all."""
    found = look_up(code) if code else None
    if code and found is None:
        raise NotFound(
            f"the code {code[:80]!r} is not known",
            hint="Codes look like PXE-E55 or 0xc000000f; `netboot boots code` lists them.",
        )
    if json_:
        print_json(found or list(CODES.values()))
    elif found:
        click.echo(f"{found.code}: {found.meaning}")
        for cause in found.causes:
            click.echo(f"  cause: {cause}")
        for cure in found.cures:
            click.echo(f"  -> {cure}")
    else:
        print_table(("Code", "Meaning"), [(one.code, one.meaning) for one in CODES.values()])


def _plain(attempt: Attempt, now: float) -> dict[str, object]:
    return {
        "id": attempt.key,
        "machine": attempt.machine,
        "mac": attempt.mac,
        "ip": attempt.ip,
        "began": attempt.began,
        "outcome": attempt.outcome(now).value,
        "why": attempt.why(now),
        "reached": [[rung.name, at] for rung, at in attempt.reached],
        "image": attempt.image,
        "version": attempt.version,
        "driver": attempt.driver,
        "device": attempt.device,
        "missing": attempt.missing,
        "steps": [[step.at, step.kind, step.text] for step in attempt.steps],
    }
