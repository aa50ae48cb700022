"""`netboot check`: asks the network as machines do, and says what is wrong and how to fix it.

A process of its own: scapy is GPL-2.0-only and slow to load, and our code must not judge itself.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.expectation import Expectation, read_expectation, site_expectation
from netboot.diagnose.judging import printing
from netboot.diagnose.judging.verdict import Verdict
from netboot.errors import InvalidInput, NetbootError, OperatorFault

if TYPE_CHECKING:
    from netboot.site import Site


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command line."""

    data: Path | None
    interface: str
    server: str
    expected: Path | None
    write_expected: Path | None
    keys: tuple[str, ...]
    patience: float
    capture: Path | None
    whole: bool
    form: str | None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Data folder of a site on this host.")
@click.option("--interface", default="", help="Network interface to check.")
@click.option("--server", default="", help="Address of the boot server that should answer.")
@click.option("--expected", type=click.Path(path_type=Path), help="List of published files (JSON).")
@click.option("--write-expected", type=click.Path(path_type=Path), help="Only write that list.")
@click.option("--kind", "keys", multiple=True, type=click.Choice([one.key for one in KINDS]),
              help="Check only this kind of machine (may be repeated).")  # fmt: skip
@click.option("--patience", default=4.0, show_default=True,
              help="Seconds to wait for offers, before asking again as firmware does.")  # fmt: skip
@click.option("--capture", type=click.Path(path_type=Path, exists=True),
              help="Analyse a recorded boot instead (pcap or pcapng).")  # fmt: skip
@click.option(
    "--whole",
    is_flag=True,
    help="Read whole images: compare every byte, and measure the speed.",
)
@click.option("--json", "form", flag_value="json", help="Print one JSON object at the end.")
@click.option(
    "--json-lines",
    "form",
    flag_value="lines",
    help="Print a JSON object for each verdict at once.",
)
def check(**chosen: Any) -> int:
    """Ask the network as machines do, and say what is wrong.

    The check pretends to be unknown machines (MAC addresses 02:6e:62:...). It takes no address and
    changes nothing. What does not answer is asked again after 4, 12 and 28 s, as firmware asks;
    it is called silent after a minute. Where the site runs in a lab, its network is checked.
    Exit code 0: every kind of machine that should boot can; 1: one cannot.
    """
    asked = Asked(**chosen)
    if asked.capture is not None:
        return _tell_capture(asked.capture, form=asked.form)
    if (lab := _lab_of(asked)) is not None:
        return _check_in_lab(asked, lab)
    known = _expectation(asked)
    if asked.write_expected is not None:
        asked.write_expected.write_text(known.to_json() + "\n", encoding="utf-8")
        click.echo(f"Wrote {asked.write_expected}.")
        return 0
    return _check(asked, known)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; returns its exit code, and prints faults with their hints."""
    try:
        ended = check.main(arguments, prog_name="netboot check", standalone_mode=False)
    except NetbootError as fault:
        click.echo(f"netboot check: {fault}", err=True)
        if isinstance(fault, OperatorFault) and fault.hint:
            click.echo(f"  -> {fault.hint}", err=True)
        return 2
    except click.ClickException as fault:
        fault.show()
        return 2
    except click.Abort:
        return 130
    return ended if isinstance(ended, int) else 0


def _check(asked: Asked, known: Expectation) -> int:
    from netboot.diagnose.examine import Plan, examine, journal_reasons
    from netboot.interfaces import ipv4_addresses, network_of

    name = asked.interface or _interface_of_site(asked.data)
    address = ipv4_addresses(name)[0]
    plan = Plan(
        interface=name,
        address=address,
        kinds=tuple(one for one in KINDS if not asked.keys or one.key in asked.keys),
        expected=known,
        network=next(iter(network_of(address)), None),
        patience=asked.patience,
        whole=asked.whole,
        reason_of=journal_reasons(asked.data),
    )
    about = {"interface": name, "address": address, "server": known.server}
    return _tell(asked, about, len(plan.kinds), examine(plan))


def _lab_of(asked: Asked) -> "Site | None":
    """The site whose lab is to be checked: its network is not this host's."""
    if asked.data is None or asked.interface or asked.server or asked.expected:
        return None
    if asked.write_expected is not None or not (asked.data / "lab.sock").exists():
        return None
    from netboot.operations.lab import lab_status
    from netboot.site import Site

    site = Site(asked.data.resolve())
    return site if lab_status(site).is_the_network else None


def _check_in_lab(asked: Asked, site: "Site") -> int:
    """Let the lab check its network, and print what it finds. Raises OperatorFault."""
    from netboot.operations.lab import check_network

    words = [word for key in asked.keys for word in ("--kind", key)]
    words += ["--patience", str(asked.patience), *(["--whole"] if asked.whole else [])]
    events = check_network(site, words)
    about: dict[str, str] = {}
    kinds = 0
    for event in events:
        match event:
            case {"event": "asking", "kinds": int(kinds), **facts}:
                about = {name: str(value) for name, value in facts.items()}
                break
            case {"event": "failed"}:
                raise _failed_in_lab(event)
    return _tell(asked, about, kinds, _verdicts(events))


def _verdicts(events: Iterator[dict[str, Any]]) -> Iterator[Verdict]:
    for event in events:
        match event:
            case {"event": "verdict", **data}:
                yield printing.verdict_from_data(data)
            case {"event": "failed"}:
                raise _failed_in_lab(event)
            case {"event": "done"}:
                return
    raise OperatorFault("the lab ended before the check did", hint="Is the site stopping?")


def _failed_in_lab(event: dict[str, Any]) -> OperatorFault:
    return OperatorFault(str(event.get("reason", "")), hint=str(event.get("hint", "")))


def _tell(asked: Asked, about: dict[str, str], kinds: int, coming: Iterator[Verdict]) -> int:
    """Print the verdicts as they come; returns the exit code."""
    if asked.form:
        return _tell_programs(asked, about, kinds, coming)
    server = about.get("server") or "any"
    click.echo(f"Checking {about.get('interface')} from {about.get('address')};"
               f" expected boot server: {server}.\n")  # fmt: skip
    verdicts = []
    for verdict in coming:
        verdicts.append(verdict)
        click.echo("\n".join(printing.text(verdict)) + "\n")
    click.echo("\n".join(printing.summary(verdicts)))
    return _exit_code(verdicts)


def _tell_programs(
    asked: Asked, about: dict[str, str], kinds: int, coming: Iterator[Verdict]
) -> int:
    """Print JSON, at the end or for each verdict; the last object is the same."""
    verdicts = []
    if asked.form == "lines":
        _say({"event": "asking", **about, "kinds": kinds})
    for verdict in coming:
        verdicts.append(verdict)
        if asked.form == "lines":
            _say({"event": "verdict", **printing.verdict_as_data(verdict)})
    result = printing.as_data(verdicts, **about)
    if asked.form == "lines":
        _say({"event": "done", **result, "code": _exit_code(verdicts)})
    else:
        click.echo(json.dumps(result, indent=1))
    return _exit_code(verdicts)


def _say(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event))
    sys.stdout.flush()


def _exit_code(verdicts: list[Verdict]) -> int:
    return int(
        any(one.outcome == "fails" for one in verdicts)
        or not any(one.outcome == "boots" for one in verdicts)
    )


def _expectation(asked: Asked) -> Expectation:
    data = asked.data
    if asked.expected is not None:
        return read_expectation(asked.expected)
    if data is None or not (data / "points" / "site" / "current.json").exists():
        return Expectation(server=asked.server)
    return site_expectation(data, asked.server or _own_server(data, asked.interface))


def _own_server(data: Path, interface: str) -> str:
    """The address of this host that the site tells machines behind this interface."""
    from netboot.boot.networks import place
    from netboot.config import load_settings
    from netboot.interfaces import ipv4_addresses, read_host

    settings = load_settings(data)
    if settings.address and interface in {"", settings.interface}:
        return settings.address
    interface = interface or _interface_of_site(data)
    for network in place(settings.all_networks, read_host()):
        if network.interface == interface and network.address:
            return network.address
    return ipv4_addresses(interface)[0]


def _interface_of_site(data: Path | None) -> str:
    from netboot.config import load_settings
    from netboot.diagnose.examine import served_interface

    if data is not None and data.exists():
        settings = load_settings(data)
        named = [one.interface for one in settings.all_networks if one.interface]
        if len(set(named)) > 1:
            raise InvalidInput(
                "this site serves several networks",
                hint=f"Name the interface of one: --interface {' or '.join(sorted(set(named)))}.",
            )
        if named:
            return named[0]
    if name := served_interface(data):
        return name
    raise InvalidInput(
        "the check needs the name of a network interface",
        hint="Name it, for example: --interface eth0.",
    )


def _tell_capture(path: Path, *, form: str | None) -> int:
    from netboot.diagnose.recordings.story import read_story

    story = read_story(path)
    match form:
        case "lines":
            _say({"event": "story", **story.as_data()})
        case "json":
            click.echo(json.dumps(story.as_data(), indent=1))
        case _:
            click.echo("\n".join(story.lines()))
    return int(story.failed)


if __name__ == "__main__":
    sys.exit(main())
