"""The command line: `netboot SUBJECT VERB`, thin over netboot.operations.

Exit codes: 0 done, 1 a bug or damaged content, 2 the request is not possible. Subjects are imported
when they are used, so `netboot --help` answers at once.
"""

import importlib
import os
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from netboot import __version__
from netboot.commands.lazily import lazily
from netboot.errors import ContentFault, NetbootError, NotPermitted, OperatorFault

SUBJECTS = {
    "run": ("service", "Start the site: boot services, page, projector and worker."),
    "boot": ("service", "Serve proxyDHCP and TFTP (a part of `run`)."),
    "http": ("service", "Serve boot files over HTTP (a part of `run`)."),
    "web": ("service", "Serve the administrators' page and the API (a part of `run`)."),
    "projector": ("service", "Write boots and machines as rows (a part of `run`)."),
    "worker": ("service", "Do queued jobs (a part of `run`)."),
    "lab": ("service", "Boot test machines in a private network (a part of `run`)."),
    "check": ("service", "Ask the network as a machine would, and report what is wrong."),
    "image": ("images.image", "Boot images: import, add drivers, build versions."),
    "driver": ("drivers.driver", "Driver catalog: import, enable, disable."),
    "points": ("points", "Distribution points: update, verify, roll back."),
    "wimboot": (
        "images.boot_chain",
        "The wimboot that machines get over HTTP; you supply the file.",
    ),
    "media": ("images.media", "Bootable media: ISO, USB and disk images, packages for disks."),
    "deployment": ("machines.deployment", "Deployments: which machine gets which image."),
    "machine": ("machines.machine", "Known machines and their devices."),
    "network": ("boots.network", "Networks, boot requests and their answers; other boot servers."),
    "test-machine": ("machines.test_machine", "Virtual machines that try a boot."),
    "lab-pe": (
        "images.lab_pe",
        "The Lab PE, which starts Linux to try a boot: build, import, export.",
    ),
    "boots": ("boots.boots", "Recorded boots; the meaning of codes on a machine's screen."),
    "export": ("declarative", "Write images, drivers and assignments as files for git."),
    "plan": ("declarative", "Show what applying such files would change."),
    "apply": ("declarative", "Change the site to match such files."),
    "job": ("job", "Long work that the worker does."),
    "account": ("accounts.account", "Accounts that may sign in, and tokens for scripts."),
    "audit": ("accounts.audit", "The audit log: who did what, and whether it is intact."),
    "webhook": ("accounts.webhook", "External services that are notified of events."),
    "settings": ("settings", "Settings that the site reads at start-up."),
    "site": (
        "site",
        "The data folder: create, clean up, verify, move to another database, undo an upgrade.",
    ),
    "backup": ("backup", "Backups of the whole site: netboot backup FILE, made while it runs."),
    "restore": (
        "backup",
        "Make the site of a backup again, in an empty data folder. Stop the site before.",
    ),
    "completion": ("completion", "Print the completion script for bash, zsh or fish."),
}
"""Each subject: its module in netboot.commands, and its line in --help."""


BECOMES_BY_ITSELF = {"run"}
"""Root's other commands work as the owner of the data folder from the beginning."""

ON_THE_NETWORK = {"boot", "http", "web", "check"}
"""Commands that may open low ports, or see all packets of an interface."""


class LazySubjects(click.Group):
    """Lists subjects by its table, and imports a subject's module only when it is used."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subjects and options with this beginning."""
        found = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in SUBJECTS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(SUBJECTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in SUBJECTS:
            return None
        module = f"netboot.commands.{SUBJECTS[cmd_name][0]}"
        with lazily():
            command: click.Command = getattr(
                importlib.import_module(module), cmd_name.replace("-", "_")
            )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in SUBJECTS.items()])


@click.group(cls=LazySubjects, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=Path("data"),
    envvar="NETBOOT_DATA",
    show_default=True,
    help="Data folder of the site.",
)
@click.version_option(version=__version__, prog_name="netboot")
@click.pass_context
def netboot(ctx: click.Context, data: Path) -> None:
    """A network-boot server for Windows PE, with its images and drivers."""
    ctx.obj = data
    subject = ctx.invoked_subcommand or ""
    if os.geteuid() == 0 and subject not in BECOMES_BY_ITSELF:
        from netboot.daemons.starting import own_user  # nobody else needs it

        own_user.enter_as_owner(data, own_user.NETWORK if subject in ON_THE_NETWORK else ())


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code. A fault is printed as a message and a hint."""
    try:
        # The code of click's own Exit, or else what the command returned.
        ended = netboot.main(arguments, prog_name="netboot", standalone_mode=False)
    except NetbootError as fault:
        return tell_fault(fault)
    except OSError as error:
        from netboot.store.content.disk_faults import disk_fault

        explained = disk_fault(error) or _refused(error)
        if explained is None:
            raise
        return tell_fault(explained)
    except click.ClickException as fault:
        fault.show()
        return 2
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    return ended if isinstance(ended, int) else 0


def installed() -> int:
    """The command that a wheel installs. Returns its exit code."""
    # It starts `python -m netboot`, and a folder of this name where it is called is not ours.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    return main()


def _refused(error: OSError) -> NotPermitted | None:
    """A file that this command's user may not use; on an installed system root is another user."""
    if not isinstance(error, PermissionError) or error.filename is None:
        return None
    from netboot.store.content.disk_faults import user_name

    return NotPermitted(
        f"{error.filename} cannot be used: {error.strerror}",
        hint=f"This command works as the user {user_name()}: name a file or folder that this user"
        " may write, for example in /var/tmp.",
    )


def tell_fault(fault: NetbootError) -> int:
    """Print what is wrong in one line and the hint in the next; returns the exit code."""
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    if isinstance(fault, ContentFault):
        hint = "The stored content was damaged or altered: restore it, or build it again."
    click.echo(f"netboot: {fault}", err=True)
    if hint:
        click.echo(f"  -> {hint}", err=True)
    return 1 if isinstance(fault, ContentFault) else 2


if __name__ == "__main__":
    sys.exit(main())
