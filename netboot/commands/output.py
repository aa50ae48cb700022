"""What commands share: tables, JSON, progress bars, and the site in --data."""

import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click

from netboot.errors import NotFound, NotPermitted
from netboot.progress import Progress
from netboot.site import Site, holds_site

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, for scripts.")


def on_site(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json to a command, and pass the site in --data as its first argument."""

    @as_json
    @click.pass_obj
    @functools.wraps(function)
    def opened(data: Path, *values: Any, **named: Any) -> Any:
        return function(open_site(data), *values, **named)

    return opened


def caught_up(site: Site) -> Site:
    """The site, after its boots and machines are written as rows."""
    from netboot.daemons.projector import catch_up

    catch_up(site)
    return site


def on_caught_up_site(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `on_site`, for commands that read boots or machines, even without a projector."""

    @on_site
    @functools.wraps(function)
    def opened(site: Site, *values: Any, **named: Any) -> Any:
        return function(caught_up(site), *values, **named)

    return opened


def open_site(data: Path) -> Site:
    """The site in the data folder. Raises NotFound if there is none, or NotPermitted."""
    from netboot.logs import keep_values_out

    keep_values_out()
    try:
        found = holds_site(data)
    except PermissionError as fault:
        raise NotPermitted(
            f"the data folder {data} cannot be read: {fault.strerror}",
            hint="It belongs to another user: become that user or root, or choose another folder"
            " with --data.",
        ) from fault
    if not found:
        raise NotFound(
            f"there is no site in {data}",
            hint="Make one with `netboot site create`, or name its folder with --data.",
        )
    return Site.open(data)


def print_json(value: object) -> None:
    """One JSON document on standard output; dataclasses become objects."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def print_list(
    value: object, titles: Sequence[str], rows: Iterable[Sequence[object]], *, json_: bool
) -> None:
    """A list: the value for scripts, or a table for people."""
    if json_:
        print_json(value)
    else:
        print_table(titles, rows)


def local_time(at: float, form: str = "%Y-%m-%d %H:%M") -> str:
    return time.strftime(form, time.localtime(at))


def say(value: object, *lines: str, json_: bool) -> None:
    """The result: the value for scripts, or the lines for people."""
    if json_:
        print_json(value)
        return
    for line in lines:
        click.echo(line)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as necessary; only the titles if there are no rows."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # a script reads whole lines
    console.print(table)


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress bar on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=1.0)

        def tell(part: float, stage: str) -> None:
            bar.update(task, completed=part, description=f"{title}: {stage}" if stage else title)

        yield tell
