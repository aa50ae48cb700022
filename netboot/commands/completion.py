"""`netboot completion`: what a shell needs to complete subjects, verbs and options."""

import click
from click.shell_completion import get_completion_class

from netboot.commands.recorded import Verb


@click.command(cls=Verb, changes=False)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; `eval "$(netboot completion bash)"`."""
    found = get_completion_class(shell)
    assert found is not None  # click has these three
    root = ctx.find_root().command
    click.echo(found(root, {}, "netboot", "_NETBOOT_COMPLETE").source())
