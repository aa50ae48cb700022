"""The command line: `netboot SUBJECT VERB`, thin over netboot.operations.

Exit codes: 0 done, 1 a bug or damaged content, 2 the operator asked for what cannot be.
Subjects are imported when they are used, so that `netboot --help` answers at once.
"""

import importlib
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from netboot.commands.lazily import lazily
from netboot.commands.recorded import changes, record
from netboot.errors import ContentFault, NetbootError, OperatorFault

SUBJECTS = {
    "run": ("netboot.commands.service", "run"),
    "boot": ("netboot.commands.service", "boot"),
    "http": ("netboot.commands.service", "http"),
    "projector": ("netboot.commands.service", "projector"),
    "worker": ("netboot.commands.service", "worker"),
    "check": ("netboot.commands.service", "check"),
    "image": ("netboot.commands.images.image", "image"),
    "driver": ("netboot.commands.drivers.driver", "driver"),
    "points": ("netboot.commands.points", "points"),
    "wimboot": ("netboot.commands.images.boot_chain", "wimboot"),
    "media": ("netboot.commands.images.media", "media"),
    "deployment": ("netboot.commands.machines.deployment", "deployment"),
    "machine": ("netboot.commands.machines.machine", "machine"),
    "network": ("netboot.commands.boots.network", "network"),
    "test-machine": ("netboot.commands.machines.test_machine", "test_machine"),
    "boots": ("netboot.commands.boots.boots", "boots"),
    "export": ("netboot.commands.declarative", "export"),
    "plan": ("netboot.commands.declarative", "plan"),
    "apply": ("netboot.commands.declarative", "apply"),
    "job": ("netboot.commands.job", "job"),
    "account": ("netboot.commands.accounts.account", "account"),
    "audit": ("netboot.commands.accounts.audit", "audit"),
    "webhook": ("netboot.commands.accounts.webhook", "webhook"),
    "settings": ("netboot.commands.settings", "settings"),
    "site": ("netboot.commands.site", "site"),
    "completion": ("netboot.commands.completion", "completion"),
}


WORDS = "netboot.words"


class LazySubjects(click.Group):
    """Loads a subject's module when somebody asks for it; records what was changed."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subject, and the words that follow, which are kept for the audit log."""
        ctx.meta[WORDS] = tuple(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Carry the command out; what it changed stands in the audit log when it ends."""
        ended: object = super().invoke(ctx)
        words = ctx.meta.get(WORDS, ())
        if changes(words):
            record(ctx.obj, words)
        return ended

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subjects and options that begin so, without importing any subject."""
        found = [
            CompletionItem(name, help=text)
            for name, text in SUMMARIES.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

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
        with lazily():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of subjects, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


SUMMARIES = {
    "run": "Start the site: boot services, page, projector and worker.",
    "boot": "Serve proxyDHCP and TFTP (a part of `run`).",
    "http": "Serve boot files over HTTP (a part of `run`).",
    "projector": "Make boots and machines of what is in the journal (a part of `run`).",
    "worker": "Do queued jobs (a part of `run`).",
    "check": "Ask the network as a machine would, and say what is wrong.",
    "image": "Boot images: import, add drivers, build versions.",
    "driver": "Driver catalog: import, enable, disable.",
    "points": "Distribution points: update, verify, roll back.",
    "wimboot": "The wimboot that machines get over HTTP; you supply the file.",
    "media": "Bootable media: ISO, USB and disk images, packages for disks.",
    "deployment": "Which machine gets which image.",
    "machine": "Known machines and their devices.",
    "network": "Who was answered and why, and who else answers.",
    "test-machine": "Virtual machines that try a boot.",
    "boots": "What machines did; what codes on their screens mean.",
    "export": "Write images, drivers and assignments as files for git.",
    "plan": "Say what applying such files would change.",
    "apply": "Make the site as such files declare it.",
    "job": "Long work that the worker does.",
    "account": "Who may sign in on the page, and with which tokens scripts do.",
    "audit": "What was done, by whom; and whether the record is whole.",
    "webhook": "Who outside is told of what happens here.",
    "settings": "What the site is told at its start.",
    "site": "The data folder: clean up, verify.",
    "completion": "Print what bash, zsh or fish need to complete commands.",
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
