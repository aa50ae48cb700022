"""Two people edit one form: keep what each changed, and ask about what both changed.

A form sends its values, what it showed at first (fields with the prefix AS_READ), and the version
that it showed. Fields that its user left alone take another user's change. For each field that both
changed, the answer is a small form with both values, which sends the user's choice.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flask import request

from netboot.errors import Difference, EditConflict
from web.guard.audit_trail import AS_READ


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that both users changed; `base` is None if it is no longer known."""

    name: str
    label: str
    yours: str
    theirs: str
    base: str | None
    is_secret: bool = False


class Clash(EditConflict):
    """Both changed a field: `choices`, and `fields`, the other values that the form sends again."""

    def __init__(
        self, choices: tuple[Choice, ...], fields: Mapping[str, str], *, what: str = ""
    ) -> None:
        names = what or ", ".join(choice.label for choice in choices)
        hint = "Choose which value to keep, then save. All other changes are kept."
        super().__init__(
            f"another user changed this meanwhile: {names}",
            hint="Save again to replace it." if what else hint,
            difference=tuple(
                Difference(choice.name, choice.yours, choice.theirs, choice.base)
                for choice in choices
                if not choice.is_secret
            ),
        )
        self.choices = choices
        self.fields = fields
        self.action = request.path


@dataclass(frozen=True, slots=True)
class Merged:
    """The values to save, and the labels of fields that keep another user's change."""

    values: dict[str, str]
    theirs: tuple[str, ...]

    @property
    def words(self) -> str:
        """What to add to the message of success."""
        if not self.theirs:
            return ""
        return f" Another user's change was kept: {', '.join(self.theirs)}."


def merge(
    labels: Mapping[str, str],
    now: Mapping[str, str],
    *,
    version: str | int,
    field: str = "row_version",
    boxes: Collection[str] = (),
    secrets: Collection[str] = (),
) -> Merged:
    """The form's values, with another user's changes to fields that its user left alone.

    `labels` are the fields and their names for people; `now` are their current values. `field`
    holds the version that the form showed, `version` is the current one. `boxes` are checkboxes,
    which send nothing if they are off. Raises Clash.
    """
    form = request.form
    is_current = form.get(field, str(version)) == str(version)
    values, theirs, choices = dict[str, str](), list[str](), list[Choice]()
    for name, label in labels.items():
        current, was = now[name], form.get(AS_READ + name)
        if name not in form and name not in boxes:
            continue
        mine = form.get(name, "")
        values[name] = mine
        if is_current or _same(mine, current):
            continue
        if was is not None and _same(mine, was):
            values[name] = current
            theirs.append(label)
        elif was is None or not _same(current, was):
            choices.append(Choice(name, label, mine, current, was, name in secrets))
    if choices:
        open_fields = {choice.name for choice in choices}
        again = {name: value for name, value in values.items() if name not in open_fields}
        seen = {AS_READ + name: now[name] for name in values}
        raise Clash(tuple(choices), {**again, **seen, field: str(version)})
    return Merged(values, tuple(theirs))


def _same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
