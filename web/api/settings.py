"""Settings of the site over the API."""

from flask import request
from pydantic import Field

from netboot.errors import InvalidInput
from netboot.operations import settings as operations
from netboot.operations.settings import SettingsView
from web.api.subject import CONFLICTS, Order, Subject, Value
from web.guard.access import Role, site

settings = Subject("settings", "What an administrator may set; counts from the next start on.")


class Setting(Value):
    """One setting; `text` is its value as a form shows it, an item of a list on each line."""

    name: str
    text: str
    default: str
    description: str
    origin: str = Field(description="default, file (netboot.toml) or variable")


class Settings(Value):
    """All settings; `pending` were changed since the site was started."""

    settings: list[Setting]
    pending: list[str]


class SettingsChange(Order):
    """Settings by name; an empty text takes one back to its default."""

    settings: dict[str, str] = Field(min_length=1, max_length=100)


def _answer(view: SettingsView) -> tuple[Settings, dict[str, str]]:
    return Settings.model_validate(view), {"ETag": f'"{view.etag}"'}


@settings.verb("GET", "", needs=Role.VIEWER, gives=Settings)
def list_settings() -> tuple[Settings, dict[str, str]]:
    """All settings, and where each comes from."""
    return _answer(operations.read_settings(site()))


@settings.verb("PATCH", "", needs=Role.ADMIN, gives=Settings, action="change", refuses=CONFLICTS)
def change_settings(body: SettingsChange) -> tuple[Settings, dict[str, str]]:
    """Write what was changed; with If-Match only if nobody changed the file since."""
    tags = list(request.if_match)
    if len(tags) > 1:
        raise InvalidInput("If-Match holds more than one tag", hint="Send back the ETag that came.")
    etag = tags[0] if tags else None
    return _answer(operations.change_settings(site(), body.settings, etag=etag))
