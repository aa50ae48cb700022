"""`netboot boots`: what machines did, from the journal."""

import time
from datetime import datetime
from pathlib import Path

import click

from netboot.boot.attempt import Attempt
from netboot.commands.output import as_json, open_site, print_json, print_table
from netboot.operations import boots as operations


@click.command()
@click.option("--limit", default=20, show_default=True, help="How many boots, newest first.")
@click.option("--steps", is_flag=True, help="Show every step of each boot.")
@as_json
@click.pass_obj
def boots(data: Path, limit: int, *, steps: bool, json_: bool) -> None:
    """Show what machines did."""
    now = time.time()
    found = operations.attempts(open_site(data), limit)
    if json_:
        print_json([_plain(attempt, now) for attempt in found])
    elif steps:
        for attempt in found:
            click.echo(f"{attempt.machine}   {attempt.outcome(now)}   {attempt.why(now)}")
            for step in attempt.steps:
                click.echo(f"  {_clock(step.at)}  {step.text}")
    else:
        print_table(
            ("Machine", "Began", "State", "Image", "Driver", "Why"),
            [
                (
                    attempt.machine,
                    _clock(attempt.began),
                    attempt.rung.words,
                    attempt.label or "-",
                    attempt.driver or "-",
                    attempt.why(now) or "-",
                )
                for attempt in found
            ],
        )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def _plain(attempt: Attempt, now: float) -> dict[str, object]:
    return {
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
