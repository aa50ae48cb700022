"""Settings of a site: one TOML file in the data folder, overridden by NETBOOT_… variables.

Only what differs from the default needs to be written down. An installed system has a second file,
below /etc: what it says counts where the file in the data folder says nothing.
"""

import ipaddress
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from netboot.boot.network_settings import LARGEST_BLOCK, SMALLEST_BLOCK, NetworkSetting, clash
from netboot.errors import InvalidInput
from netboot.secret import Secret

DEFAULT_DATA = Path("data")
FILE_NAME = "netboot.toml"
SYSTEM_FILE = "NETBOOT_DEFAULTS"
"""The variable with the path of the system's file."""

SYSTEM_COPY = "netboot.system.toml"
"""The system's file in a backup; restored next to the site where it differs from the one there."""


class Settings(BaseSettings):
    """The settings of a site."""

    model_config = SettingsConfigDict(
        env_prefix="NETBOOT_", extra="forbid", hide_input_in_errors=True
    )

    data: Path = Field(DEFAULT_DATA, description="Data folder: images, drivers, database.")
    interface: str = Field("", description="Network interface that machines boot through.")
    address: str = Field("", description="IPv4 address of this server on that interface.")
    networks: list[NetworkSetting] = Field(
        default_factory=list,
        description="More networks, each a table [[networks]]: interface or subnet, and as needed"
        " address, allowed, block_size, response_delay (seconds), only_known. On the page and the"
        " command line: interface=eth1 response_delay=2 only_known=yes.",
    )
    http_port: int = Field(8081, ge=1, le=65535, description="Port of the boot HTTP service.")
    web_address: str = Field("127.0.0.1", description="Address of the administrators' page.")
    web_port: int = Field(8080, ge=1, le=65535, description="Port of the administrators' page.")
    web_processes: int = Field(2, ge=1, le=16, description="Processes of the administrators' page.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in the data folder."
    )
    backup_folder: Path | None = Field(
        None,
        description="Folder for backups that are made from the page or the API, outside the data"
        " folder.",
    )
    relays: list[str] = Field(
        default_factory=list,
        description="DHCP relays that get answers: addresses, or networks like 10.2.0.0/16.",
    )
    tftp_workers: int = Field(
        0, ge=0, le=16, description="TFTP processes; 0: one for each core, at most 4."
    )
    tftp_block_sizes: dict[str, int] = Field(
        default_factory=dict,
        description="Largest TFTP block in bytes for clients of a network, where tunnels or routers"
        " pass smaller packets: like 10.2.0.0/16 = 1380. The packet is 32 bytes larger. 0.0.0.0/0"
        " is for all other networks; without it, 1468.",
    )
    uefi_authority: Literal["2011", "2023"] = Field(
        "2011",
        description="Signer of the UEFI boot loader, unless set for the machine or the image:"
        " 2011 (Microsoft Windows Production PCA 2011) or 2023 (Windows UEFI CA 2023).",
    )
    programs: list[Path] = Field(
        default_factory=lambda: [Path("/usr/lib/ipxe"), Path("/boot")],
        description="Folders with iPXE's boot programs.",
    )
    trusted_hosts: list[str] = Field(default_factory=list, description="Host names of the page.")
    tls: Literal["off", "self-signed", "files"] = Field(
        "off", description="TLS of the page: off, self-signed, or with a certificate from files."
    )
    tls_certificate: Path | None = Field(None, description="Certificate chain (PEM), for files.")
    tls_key: Path | None = Field(None, description="Its private key (PEM), for files.")
    web_url: str = Field(
        "",
        description="Public address of the page behind a proxy, like https://netboot.example;"
        " empty: the address of each request.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Proxies whose X-Forwarded-For is trusted:"
        " addresses, or networks like 10.2.0.0/16.",
    )
    webhook_networks: list[str] = Field(
        default_factory=list,
        description="Networks that webhooks and single sign-on may also reach, such as this"
        " machine's own addresses (127.0.0.0/8, 192.0.2.5/32) or link-local addresses"
        " (169.254.0.0/16); they are blocked by default.",
    )
    metrics: Literal["signed-in", "open"] = Field(
        "signed-in", description="Who may read /metrics: users with a token, or everyone."
    )
    log_format: Literal["text", "json"] = Field("text", description="Format of the logs.")
    oidc_issuer: str = Field("", description="OpenID Connect: the provider's issuer URL.")
    oidc_client_id: str = Field("", description="OpenID Connect: the client ID.")
    oidc_client_secret: Secret = Field(Secret(""), description="OpenID Connect: client secret.")
    oidc_label: str = Field("Single sign-on", description="OpenID Connect: text of the button.")
    oidc_role_claim: str = Field("groups", description="OpenID Connect: the claim with the roles.")
    oidc_roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(
        default_factory=dict, description="OpenID Connect: the role for each value of the claim."
    )
    oidc_default_role: Literal["", "viewer", "operator", "admin"] = Field(
        "", description="OpenID Connect: the role of all other users; empty: no access."
    )

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            ipaddress.IPv4Address(value)
        return value

    @field_validator("trusted_proxies", "webhook_networks")
    @classmethod
    def _are_any_networks(cls, values: list[str]) -> list[str]:
        for value in values:
            ipaddress.ip_network(value)
        return values

    @field_validator("web_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.username is not None
            or parts.path not in {"", "/"}
            or parts.query
            or parts.fragment
            or (parts.port is not None and parts.port < 1)
        ):
            raise ValueError("not the address of a web page, like https://netboot.example")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("tftp_block_sizes")
    @classmethod
    def _are_block_sizes(cls, values: dict[str, int]) -> dict[str, int]:
        for network, size in values.items():
            ipaddress.IPv4Network(network)
            if not SMALLEST_BLOCK <= size <= LARGEST_BLOCK:
                raise ValueError(
                    f"{network}: a block has {SMALLEST_BLOCK} to {LARGEST_BLOCK} bytes, not {size}"
                )
        return values

    @field_validator("relays")
    @classmethod
    def _are_networks(cls, values: list[str]) -> list[str]:
        for value in values:
            ipaddress.IPv4Network(value)
        return values

    @field_validator("networks")
    @classmethod
    def _go_together(cls, values: list[NetworkSetting]) -> list[NetworkSetting]:
        if wrong := clash(values):
            raise ValueError(wrong)
        return values

    @property
    def all_networks(self) -> tuple[NetworkSetting, ...]:
        """All networks to serve: that of `interface` and `address`, and the others."""
        if not self.interface and not self.address:
            return tuple(self.networks)
        single = NetworkSetting(interface=self.interface, address=self.address)
        return (single, *self.networks)

    @property
    def told_address(self) -> str:
        """The first address for machines that the settings name, if any does."""
        return next((one.address for one in self.all_networks if one.address), "")

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if self.tls == "files" and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError('tls = "files" needs tls_certificate and tls_key')
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise ValueError("oidc_issuer needs oidc_client_id and oidc_client_secret")
        if self.networks and (wrong := clash(self.all_networks)):
            raise ValueError(f"{wrong} (one is from interface and address)")
        return self

    @field_validator("web_address")
    @classmethod
    def _is_said(cls, value: str) -> str:
        if not value or any(c.isspace() or c == "/" for c in value):
            raise ValueError("not an address; use 0.0.0.0 for all addresses")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments override the environment, which overrides the file; no .env, no secrets."""
        del dotenv_settings, file_secret_settings
        files = settings_cls.model_config.get("toml_file") or (None,)
        assert isinstance(files, tuple)
        own = (TomlConfigSettingsSource(settings_cls, toml_file=file) for file in files)
        return (init_settings, env_settings, *own)


@lru_cache(maxsize=8)
def _settings_in(*files: Path) -> type[Settings]:
    """The settings as read from these files, first one first; pydantic takes 15 ms to make it."""

    class FromFile(Settings):
        model_config = SettingsConfigDict(
            env_prefix="NETBOOT_", extra="forbid", hide_input_in_errors=True, toml_file=files
        )

    return FromFile


def system_file() -> Path | None:
    """The system's settings, if this is an installed system that has some."""
    path = Path(os.environ.get(SYSTEM_FILE, "/dev/null"))
    return path if path.is_file() else None


def load_settings(data: Path, *, shown: Path | None = None) -> Settings:
    """The settings of the site in `data`. Raises InvalidInput naming the setting and the file.

    `shown` is the file to name, if the one in `data` is a copy to be tried.
    """
    path = data / FILE_NAME
    files = tuple(file for file in (path, system_file()) if file is not None and file.is_file())
    named = " or ".join(str(shown if shown and file == path else file) for file in files) or path
    try:
        return _settings_in(*files)(data=data)
    except ValidationError as fault:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in fault.errors()
        )
        raise InvalidInput(
            f"the settings cannot be used: {problems}",
            hint=f"Correct {named} or the NETBOOT_… variable of that name.",
        ) from fault
    except SettingsError as fault:  # a variable that should hold a list
        raise InvalidInput(
            f"the settings cannot be used: {fault}",
            hint="""Write a list in a NETBOOT_… variable like '["10.2.0.0/16"]'.""",
        ) from fault
    except (ValueError, OSError) as fault:  # TOMLDecodeError, UnicodeDecodeError
        raise InvalidInput(
            f"{named} is not valid TOML: {fault}", hint=f"Correct {named}."
        ) from fault
