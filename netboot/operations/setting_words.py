"""How settings are shown to people: groups, labels, and the words of their choices."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pydantic.fields import FieldInfo

from netboot.config import Settings

OTHER = "Other"

GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Boot network": {
            "interface": "Network interface",
            "address": "Address for machines",
            "networks": "More networks",
            "relays": "DHCP relays",
            "http_port": "Boot HTTP port",
            "tftp_workers": "TFTP processes",
        },
        "Boot programs": {
            "uefi_authority": "UEFI boot loader",
            "programs": "Folders with iPXE",
        },
        "This page": {
            "web_address": "Listens on",
            "web_port": "Port",
            "web_url": "Public address",
            "trusted_hosts": "Host names",
            "trusted_proxies": "Trusted proxies",
            "web_processes": "Processes",
        },
        "TLS": {
            "tls": "TLS",
            "tls_certificate": "Certificate file",
            "tls_key": "Key file",
        },
        "Single sign-on": {
            "oidc_issuer": "Issuer",
            "oidc_client_id": "Client ID",
            "oidc_client_secret": "Client secret",
            "oidc_label": "Text of the button",
            "oidc_role_claim": "Claim with the roles",
            "oidc_roles": "Roles",
            "oidc_default_role": "Role of all other users",
        },
        "Data, monitoring and webhooks": {
            "database_url": "Database",
            "backup_folder": "Folder for backups",
            "metrics": "Access to /metrics",
            "log_format": "Format of the logs",
            "webhook_networks": "Networks for webhooks",
        },
    }
)
"""The labels of settings, by group, in the order of the page."""

CHOICES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "uefi_authority": {
            "2011": "2011: Microsoft Windows Production PCA 2011",
            "2023": "2023: Windows UEFI CA 2023",
        },
        "tls": {
            "off": "Off (HTTP)",
            "self-signed": "Self-signed certificate",
            "files": "Certificate from files",
        },
        "metrics": {"signed-in": "Users with a token", "open": "Everyone"},
        "log_format": {"text": "Text", "json": "JSON"},
        "oidc_default_role": {"": "No access"},
    }
)


@dataclass(frozen=True, slots=True)
class Form:
    """How a setting is asked for: `choices` are values with words, `numbers` the allowed range."""

    group: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    numbers: tuple[int, int] | None = None


def form_of(name: str, field: FieldInfo) -> Form:
    """How this setting is asked for; one that no group names is in the last group."""
    group = next((title for title, labels in GROUPS.items() if name in labels), OTHER)
    label = GROUPS.get(group, {}).get(name) or name.replace("_", " ").capitalize()
    return Form(group, label, _choices(name, field.annotation), _range(field))


def in_groups() -> list[str]:
    """The names of all settings, group by group."""
    known = [name for labels in GROUPS.values() for name in labels]
    others = [name for name in Settings.model_fields if name not in {*known, "data"}]
    return [name for name in (*known, *others) if name in Settings.model_fields]


def _choices(name: str, annotation: Any) -> tuple[tuple[str, str], ...]:
    if annotation is bool:
        return (("True", "On"), ("False", "Off"))
    if typing.get_origin(annotation) is not Literal:
        return ()
    words = CHOICES.get(name, {})
    return tuple((one, words.get(one, one.capitalize())) for one in typing.get_args(annotation))


def _range(field: FieldInfo) -> tuple[int, int] | None:
    if field.annotation is not int:
        return None
    low = next((one.ge for one in field.metadata if hasattr(one, "ge")), 0)
    high = next((one.le for one in field.metadata if hasattr(one, "le")), 2**31 - 1)
    return int(low), int(high)
