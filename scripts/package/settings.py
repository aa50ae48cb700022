"""The settings file of an installed system: every setting with its default, as a comment."""

import sys
import textwrap
from pathlib import Path

import tomlkit

from netboot.config import Settings

HEAD = """\
# Settings of netboot on this system. A line with # shows a default; remove the # and change it.
#
# What is set here counts unless the page or `netboot settings set` has set something else: they
# write /var/lib/netboot/netboot.toml. `netboot settings list` shows each value and where it is set.
# A change takes effect after: systemctl restart netboot.target
#
# Machines boot through this network. Until it is set, only the page is served.
"""


PRESET = {"backup_folder": "/var/backups/netboot"}
"""What an installed system has: the installation makes this folder."""


def text() -> str:
    """The file. Its first setting is the one that every site needs."""
    parts = [HEAD.rstrip("\n")]
    for name, field in Settings.model_fields.items():
        if name == "data":
            continue
        comment = textwrap.fill(field.description or "", 98, initial_indent="# ",
                                subsequent_indent="# ")  # fmt: skip
        parts.append(f"{comment}\n{example(name)}")
    return "\n\n".join(parts) + "\n"


def example(name: str) -> str:
    """The setting with its default, as a comment; or with what an installed system has."""
    if name in PRESET:
        return tomlkit.dumps({name: PRESET[name]}).strip()
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if default is None:
        return f'#{name} = ""'
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    if isinstance(default, list):
        default = [str(one) for one in default]
    if isinstance(default, dict):
        return f"#{name} = {{}}"
    return "#" + tomlkit.dumps({name: default}).strip()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
