"""The papers speak of what is there: links, paths, commands, and the form of the decisions."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from netboot.cli import netboot

ROOT = Path(__file__).resolve().parent.parent
DECISIONS = ROOT / "docs/decisions"

LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
MODULE = re.compile(r"`((?:netboot|web|vm|tests|scripts|docs)/[\w./-]*)`")
COMMAND = re.compile(r"netboot ((?:[a-z]+[a-z-]* ?)+)")
STATUS = re.compile(r"accepted|superseded by \[\d{4}\]\((\d{4}-[a-z0-9-]+\.md)\)")


def papers():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(ROOT / name for name in listed.stdout.split() if (ROOT / name).exists())


def fields(decision):
    return dict(re.findall(r"^- (\w+): (.+)$", decision.read_text(), re.MULTILINE))


def decisions():
    return sorted(DECISIONS.glob("[0-9]*.md"))


@pytest.mark.parametrize("paper", papers(), ids=lambda paper: str(paper.relative_to(ROOT)))
def test_links_lead_somewhere(paper):
    """A link to another file of the repository finds it."""
    gone = [to for to in LINK.findall(paper.read_text()) if not (paper.parent / to).exists()]

    assert gone == []


@pytest.mark.parametrize("paper", papers(), ids=lambda paper: str(paper.relative_to(ROOT)))
def test_paths_that_are_named_exist(paper):
    """A path in a paper is there; a superseded decision may name what is gone."""
    if fields(paper).get("Status", "").startswith("superseded"):
        return
    named = (path for path in MODULE.findall(paper.read_text()) if "test_" not in path)

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_commands_that_the_readme_names_exist():
    """README's `netboot SUBJECT VERB` are commands."""
    text = (ROOT / "README.md").read_text()
    code = re.findall(r"`([^`\n]+)`|^(\.venv/bin/netboot .*)$", text, re.MULTILINE)
    spans = [span or line for span, line in code]
    told = {words.strip() for span in spans for words in COMMAND.findall(span)}

    assert len(told) > 20
    assert sorted(words for words in told if not _is_command(words.split())) == []


def _is_command(words):
    command: click.Command = netboot
    for word in words:
        if not isinstance(command, click.Group):
            return True  # what follows are its arguments
        found = command.get_command(click.Context(command), word)
        if found is None:
            return False
        command = found
    return True


@pytest.mark.parametrize("decision", decisions(), ids=lambda decision: decision.stem)
def test_a_decision_has_its_form(decision):
    """It has a title, a date, a status, and says what was decided, why, and what it costs."""
    text = decision.read_text()

    assert text.startswith("# ")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", fields(decision)["Date"])
    assert STATUS.fullmatch(fields(decision)["Status"])
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Decision", "Why", "Cost"]


def test_decisions_are_numbered_without_a_gap():
    """Their numbers begin at 1 and rise by one."""
    assert list(range(1, len(decisions()) + 1)) == [int(one.name[:4]) for one in decisions()]


def test_a_superseded_decision_and_its_successor_name_each_other():
    """Both ends of a supersession can be followed."""
    for old in decisions():
        found = STATUS.fullmatch(fields(old)["Status"])
        if found is not None and found[1]:
            assert old.name in fields(DECISIONS / found[1])["Supersedes"]


def test_the_index_lists_every_decision_as_it_is():
    """Title, date and status in the index are those of the file."""
    rows = [
        f"| [{one.name[:4]}]({one.name}) | {one.read_text().splitlines()[0][2:]}"
        f" | {fields(one)['Date']} | {fields(one)['Status']} |"
        for one in decisions()
    ]

    listed = [line for line in (DECISIONS / "README.md").read_text().splitlines() if "| [0" in line]

    assert rows == listed
