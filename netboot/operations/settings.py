"""The settings of a site: what each is, where it comes from, and how to change it.

A change is written into netboot.toml, keeps the comments there, and takes effect after a restart.
Settings that an environment variable overrides cannot be changed here.
"""

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from netboot.boot.network_settings import read_line
from netboot.config import FILE_NAME, Settings, load_settings, system_file
from netboot.errors import Difference, EditConflict, InvalidInput, NotPermitted
from netboot.operations.setting_words import Form, form_of, in_groups
from netboot.secret import Secret
from netboot.site import Site
from netboot.store.content.blobs import sync_folder
from netboot.store.content.disk_faults import disk_fault
from netboot.store.content.folder_lock import locked

DEFAULT, SYSTEM, FILE, VARIABLE = "default", "system", "file", "variable"
LONGEST = 2000
SECRETS = {"oidc_client_secret"}
HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `text` is its value as a form shows it: one item of a list or table a line.

    `origin` is where it comes from: "default", "system" (the file below /etc of an installed
    system), "file" (netboot.toml in the data folder) or "variable".
    """

    name: str
    text: str
    default: str
    description: str
    origin: str
    is_list: bool
    form: Form

    @property
    def group(self) -> str:
        return self.form.group

    @property
    def label(self) -> str:
        return self.form.label

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        return self.form.choices

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"NETBOOT_{self.name.upper()}"


@dataclass(frozen=True, slots=True)
class SettingsView:
    """All settings. `etag` identifies the file; `pending` were changed since the start."""

    settings: tuple[Setting, ...]
    file: Path
    etag: str
    pending: tuple[str, ...]
    system_file: Path | None = None


def read_settings(site: Site) -> SettingsView:
    """The current settings. Raises InvalidInput if the file cannot be used."""
    written = _document(_path(site))
    system = system_file()
    preset = _document(system) if system is not None else tomlkit.document()
    values = load_settings(site.data)
    found = tuple(
        Setting(
            name,
            _shown(name, getattr(values, name)),
            _text(field.get_default(call_default_factory=True)),
            field.description or "",
            _origin(name, written, preset),
            isinstance(getattr(values, name), list | dict),
            form_of(name, field),
        )
        for name, field in ((name, Settings.model_fields[name]) for name in in_groups())
    )
    pending = tuple(
        name
        for name in Settings.model_fields
        if name != "data" and getattr(values, name) != getattr(site.settings, name)
    )
    return SettingsView(found, _path(site), _etag(site), pending, system)


def change_settings(
    site: Site,
    texts: Mapping[str, str],
    *,
    etag: str | None = None,
    base: Mapping[str, str] | None = None,
) -> SettingsView:
    """Write these settings into netboot.toml; an empty text restores the default.

    `base` are the texts when `etag` was read, so that a conflict's difference can show who changed
    what. Raises InvalidInput, NotPermitted for one that a variable sets or a file that cannot be
    written, EditConflict if the file changed since `etag`.
    """
    with locked(site.data / f".{FILE_NAME}.lock"):
        if etag is not None and etag != _etag(site):
            raise EditConflict(
                f"{FILE_NAME} was changed since you opened it",
                hint="Look at the settings again, then repeat your change.",
                difference=_difference(site, texts, base or {}),
            )
        document = _document(_path(site))
        known = {setting.name: setting for setting in read_settings(site).settings}
        for name, text in texts.items():
            if name not in known:
                raise InvalidInput(f"there is no setting {name[:40]!r}")
            if _plain(text) == _plain(known[name].text):
                continue
            if known[name].origin == VARIABLE:
                raise NotPermitted(
                    f"{name} is set by the variable {known[name].variable}",
                    hint="Change it where the site is started.",
                )
            _put(document, name, text[:LONGEST])
        _write(site, tomlkit.dumps(document))
        return read_settings(site)


def _difference(
    site: Site, texts: Mapping[str, str], base: Mapping[str, str]
) -> tuple[Difference, ...]:
    """Where the texts that were sent differ from the current ones."""
    now = {setting.name: setting.text for setting in read_settings(site).settings}
    return tuple(
        Difference(name, HIDDEN if name in SECRETS and text else text, now[name], base.get(name))
        for name, text in texts.items()
        if name in now and _plain(text) != _plain(now[name])
    )


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _put(document: tomlkit.TOMLDocument, name: str, text: str) -> None:
    if not text.strip():
        document.pop(name, None)
        return
    example = Settings.model_fields[name].get_default(call_default_factory=True)
    if name == "networks":
        document.pop(name, None)  # its tables may stand anywhere between others
        document[name] = _tables(text)
    elif isinstance(example, dict):
        document[name] = dict(_pair(name, line) for line in text.splitlines() if line.strip())
    elif isinstance(example, list):
        document[name] = [line.strip() for line in text.splitlines() if line.strip()]
    elif isinstance(example, bool):
        document[name] = text.strip().lower() in {"true", "yes", "on", "1"}
    elif isinstance(example, int | float):
        try:
            document[name] = float(text) if "." in text else int(text)
        except ValueError as fault:
            raise InvalidInput(f"{name} is a number, not {text.strip()[:40]!r}") from fault
    else:
        document[name] = text.strip()


def _tables(text: str) -> AoT:
    """A table [[networks]] for each line."""
    tables = tomlkit.aot()
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            values = read_line(line)
        except ValueError as fault:
            raise InvalidInput(
                f"networks: {fault}",
                hint="Write one network a line: `interface=eth1 response_delay=2 only_known=yes`.",
            ) from fault
        table = tomlkit.table()
        table.update(values)
        tables.append(table)
    return tables


def _pair(name: str, line: str) -> tuple[str, str]:
    """A line of a table: `netboot-admins = admin`."""
    key, found, value = (part.strip() for part in line.partition("="))
    if not (key and found and value):
        raise InvalidInput(
            f"{name}: {line.strip()[:40]!r} is not a pair",
            hint="Write it like `netboot-admins = admin`.",
        )
    return key, value


def _write(site: Site, text: str) -> None:
    """Replace the file atomically, after a check that it can be loaded."""
    path = _path(site)
    part = path.with_name(f"{FILE_NAME}.part")
    try:
        folder = path.with_name(f".{FILE_NAME}.try")
        folder.mkdir(exist_ok=True)
        try:
            (folder / FILE_NAME).write_text(text)
            load_settings(folder, shown=path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with part.open("w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as fault:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if explained := disk_fault(fault, site.data):
            raise explained from fault
        raise NotPermitted(
            f"{path} cannot be written: {fault.strerror}", hint="Correct its owner or its mode."
        ) from fault


def _document(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text() if path.is_file() else "")
    except (OSError, UnicodeDecodeError, TOMLKitError) as fault:
        raise InvalidInput(f"{path} cannot be read: {fault}", hint=f"Correct {path}.") from fault


def _origin(name: str, written: tomlkit.TOMLDocument, preset: tomlkit.TOMLDocument) -> str:
    if f"NETBOOT_{name.upper()}" in os.environ:
        return VARIABLE
    if name in written:
        return FILE
    return SYSTEM if name in preset else DEFAULT


def _shown(name: str, value: Any) -> str:
    """The value for a form; a secret only as (hidden), which changes nothing when sent back."""
    return HIDDEN if value and name in SECRETS else _text(value)


def _text(value: Any) -> str:
    """The value for a form, without the password of a database URL."""
    if isinstance(value, Secret):
        value = value.get_secret_value()
    if isinstance(value, str) and "://" in value:
        return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", value)
    if value is None:
        return ""
    if isinstance(value, dict):
        return "\n".join(f"{key} = {item}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    return str(value)


def _path(site: Site) -> Path:
    return site.data / FILE_NAME


def _etag(site: Site) -> str:
    try:
        found = _path(site).stat()
    except OSError:
        return "none"
    return f"{found.st_mtime_ns}-{found.st_size}"
