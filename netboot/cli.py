"""The command line: `netboot SUBJECT VERB`, thin over netboot.operations.

Exit codes: 0 done, 1 a bug or damaged content, 2 the operator asked for what cannot be.
Subjects are imported when they are used, so that `netboot --help` answers at once.
"""

import importlib
import sys
from pathlib import Path

import click

from netboot.errors import ContentFault, NetbootError, OperatorFault

SUBJECTS = {
    "run": ("netboot.commands.service", "run"),
    "boot": ("netboot.commands.service", "boot"),
    "http": ("netboot.commands.service", "http"),
    "worker": ("netboot.commands.service", "worker"),
    "check": ("netboot.commands.service", "check"),
    "image": ("netboot.commands.image", "image"),
    "driver": ("netboot.commands.driver", "driver"),
    "points": ("netboot.commands.points", "points"),
    "wimboot": ("netboot.commands.boot_chain", "wimboot"),
    "deployment": ("netboot.commands.deployment", "deployment"),
    "machine": ("netboot.commands.machine", "machine"),
    "network": ("netboot.commands.network", "network"),
    "boots": ("netboot.commands.boots", "boots"),
    "export": ("netboot.commands.declarative", "export"),
    "plan": ("netboot.commands.declarative", "plan"),
    "apply": ("netboot.commands.declarative", "apply"),
    "account": ("netboot.commands.account", "account"),
    "site": ("netboot.commands.site", "site"),
}


class LazySubjects(click.Group):
    """Loads a subject's module when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All subjects, in the order of the table."""
        del ctx
        return list(SUBJECTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subject, imported now."""
        del ctx
        if cmd_name not in SUBJECTS:
            return None
        module, name = SUBJECTS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of subjects, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


SUMMARIES = {
    "run": "Start the site: boot services, page and worker.",
    "boot": "Serve proxyDHCP and TFTP (a part of `run`).",
    "http": "Serve boot files over HTTP (a part of `run`).",
    "worker": "Do queued jobs (a part of `run`).",
    "check": "Ask the network as a machine would, and say what is wrong.",
    "image": "Boot images: import, add drivers, build versions.",
    "driver": "Driver catalog: import, enable, disable.",
    "points": "Distribution points: update, verify, roll back.",
    "wimboot": "The wimboot that machines get over HTTP; you supply the file.",
    "deployment": "Which machine gets which image.",
    "machine": "Known machines and their devices.",
    "network": "Who was answered and why, and who else answers.",
    "boots": "What machines did.",
    "export": "Write images, drivers and assignments as files for git.",
    "plan": "Say what applying such files would change.",
    "apply": "Make the site as such files declare it.",
    "account": "Who may sign in on the page.",
    "site": "The data folder: clean up, verify.",
}


@click.group(cls=LazySubjects, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=Path("data"),
    envvar="NETBOOT_DATA",
    show_default=True,
    help="Data folder of the site.",
)
@click.version_option(package_name="netboot", version="0.1.0", prog_name="netboot")
@click.pass_context
def netboot(ctx: click.Context, data: Path) -> None:
    """A network-boot server for Windows PE, with its images and drivers."""
    ctx.obj = data


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code. Faults become one message and, where there is one, a hint."""
    try:
        # click hands back the code of its own Exit here, else what the command returned.
        ended = netboot.main(arguments, prog_name="netboot", standalone_mode=False)
    except NetbootError as fault:
        return tell_fault(fault)
    except click.ClickException as fault:
        fault.show()
        return 2
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    return ended if isinstance(ended, int) else 0


def tell_fault(fault: NetbootError) -> int:
    """Say what is wrong in one line and what to do in the next; the exit code."""
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    if isinstance(fault, ContentFault):
        hint = "What is stored was damaged or altered; restore it or build anew."
    click.echo(f"netboot: {fault}", err=True)
    if hint:
        click.echo(f"  -> {hint}", err=True)
    return 1 if isinstance(fault, ContentFault) else 2


if __name__ == "__main__":
    sys.exit(main())
