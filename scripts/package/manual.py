"""Man pages of the command and of each subject, from the command line's own declarations.

python scripts/package/manual.py FOLDER DATE
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from netboot import __version__
from netboot.cli import SUBJECTS, netboot

SITE = (
    "The site: images, drivers, versions, boots, accounts; and netboot.toml, with what the page and"
    " `netboot settings` have set, which overrides the file in /etc."
)
FILES = (
    ("/etc/netboot/netboot.toml", "Settings of this system, each with its default as a comment."),
    ("/var/lib/netboot", SITE),
)
EXITS = (
    ("0", "Done."),
    ("1", "A bug, or damaged content."),
    ("2", "The request is not possible; the message says what to do."),
)


def escaped(text: str) -> str:
    """The text for roff: no escape, no request at the beginning of a line (groff_char(7))."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("…", "...").replace("→", "\\->")
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in text.split("\n"))


def paragraphs(text: str) -> Iterator[str]:
    r"""A help text, whose paragraphs are wrapped by the reader's screen; a \b keeps its lines."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b"):
            yield from (".PP", ".nf", escaped(part.removeprefix("\b").strip("\n")), ".fi")
        else:
            yield from (".PP", escaped(" ".join(part.split())))


def leaves(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """Every command of a subject, with the words that call it."""
    context = click.Context(group, info_name=words[-1])
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, (*words, name))
        else:
            yield " ".join((*words, name)), found


def usage(command: click.Command, words: str) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=words))
    return " ".join(escaped(piece) for piece in pieces)


def described(command: click.Command, words: str) -> Iterator[str]:
    """One command: how it is called, what it does, its options."""
    yield f".SS \\fB{escaped(words)}\\fR {usage(command, words)}"
    yield from paragraphs(command.help or "")
    context = click.Context(command, info_name=words)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (".TP", f"\\fB{escaped(record[0])}\\fR", escaped(record[1]) or "\\&")
    epilog = command.epilog or ""
    if epilog:
        yield from paragraphs(epilog)


def head(name: str, summary: str, date: str) -> Iterator[str]:
    yield f'.TH {escaped(name).upper()} 1 "{date}" "netboot {__version__}" "netboot"'
    yield ".SH NAME"
    yield f"{escaped(name)} \\- {escaped(summary[:1].lower() + summary[1:].rstrip('.'))}"


def page_of_subject(subject: str, date: str) -> str:
    context = click.Context(netboot, info_name="netboot")
    command = netboot.get_command(context, subject)
    assert command is not None
    lines = [*head(f"netboot-{subject}", SUBJECTS[subject][1], date), ".SH COMMANDS"]
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            lines += described(command, f"netboot {subject}")
        for words, leaf in leaves(command, ("netboot", subject)):
            lines += described(leaf, words)
    else:
        lines += described(command, f"netboot {subject}")
    if subject == "check":
        lines += [".PP", escaped("`netboot check --help` lists its options.")]
    lines += [".SH SEE ALSO", "\\fBnetboot\\fR(1)"]
    return "\n".join(lines) + "\n"


def page_of_command(date: str) -> str:
    lines = [*head("netboot", netboot.help or "", date)]
    lines += [".SH SYNOPSIS", "\\fBnetboot\\fR [\\fB\\-\\-data\\fR FOLDER] SUBJECT [VERB] ..."]
    lines += [".SH SUBJECTS"]
    for subject, (_, summary) in SUBJECTS.items():
        lines += [".TP", f"\\fBnetboot\\-{escaped(subject)}\\fR(1)", escaped(summary)]
    lines += [".SH SERVICES"]
    lines += paragraphs(
        "The services are netboot-boot, netboot-http, netboot-web, netboot-projector,"
        " netboot-worker and netboot-lab; netboot.target starts and stops all of them."
    )
    lines += paragraphs(
        "Root's command works as the user netboot, so that the services can use what it writes."
        " It reads what root may read, and writes what the user netboot may write."
    )
    for title, rows in (("FILES", FILES), ("EXIT STATUS", EXITS)):
        lines += [f".SH {title}"]
        for name, text in rows:
            lines += [".TP", escaped(name), escaped(text)]
    return "\n".join(lines) + "\n"


def write_pages(folder: Path, date: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "netboot.1").write_text(page_of_command(date))
    for subject in SUBJECTS:
        (folder / f"netboot-{subject}.1").write_text(page_of_subject(subject, date))


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]), sys.argv[2])
