"""What is served to machines is deleted only if its name is given once more.

A page asks a person to type it, the API takes it as `name`, and a declaration names it next
to `prune`. None instead of a name asks for nothing: the command line has asked before.
"""

from netboot.errors import InvalidInput


def require_name(name: str, given: str | None, *, label: str = "", hint: str = "") -> None:
    """Check the name that was given for something served. Raises InvalidInput.

    `label` is what machines get, if that is called more than its name.
    """
    if given is None or given.strip() == name:
        return
    raise InvalidInput(
        f"{label or name} is served to machines, so its name is needed to delete it",
        hint=hint or f"Type {name}.",
    )
