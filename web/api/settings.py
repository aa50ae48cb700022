"""Settings of the site over the API."""

from flask import request
from pydantic import Field

from netboot.errors import InvalidInput
from netboot.operations import settings as operations
from netboot.operations.settings import SettingsView
from web.api.subject import CONFLICTS, Order, Subject, Tagged, Value
from web.guard.access import Role, site

settings = Subject("settings", "Settings of the site. Changes take effect after a restart.")


class Setting(Value):
    """One setting; `text` is its value as a form shows it, with one list item per line."""

    name: str
    text: str
    default: str
    description: str
    origin: str = Field(description="default, file (netboot.toml) or variable")
    group: str = Field(description="The group that the page shows it in.")
    label: str
    choices: list[tuple[str, str]] = Field(description="Allowed values with words; empty: any.")


class Settings(Value):
    """All settings; `pending` ones were changed after the site started."""

    settings: list[Setting]
    pending: list[str]


class SettingsChange(Order):
    """Settings by name; an empty text restores the default."""

    settings: dict[str, str] = Field(min_length=1, max_length=100)


def _answer(view: SettingsView) -> Tagged[Settings]:
    return Settings.of(view), {"ETag": f'"{view.etag}"'}


@settings.verb("GET", "", needs=Role.VIEWER)
def list_settings() -> Tagged[Settings]:
    """List all settings and where each value comes from."""
    return _answer(operations.read_settings(site()))


@settings.verb(
    "PATCH", "", needs=Role.ADMIN, action="change", refuses=CONFLICTS, current=list_settings
)
def change_settings(body: SettingsChange) -> Tagged[Settings]:
    """Change settings. With If-Match, only if the file has not changed in the meantime."""
    tags = list(request.if_match)
    if len(tags) > 1:
        raise InvalidInput(
            "If-Match contains more than one tag", hint="Send the ETag of your last read."
        )
    etag = tags[0] if tags else None
    return _answer(operations.change_settings(site(), body.settings, etag=etag))
