"""Filters of templates: sizes, times, digests and states as text and badges."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import NoneType
from typing import Any

import humanize
from flask import Flask, request
from markupsafe import Markup, escape

from netboot.boot.machines.known_machine import KnownMachine
from netboot.boot.told.attempt import Attempt
from netboot.errors import sentence
from netboot.images.coverage import Status
from netboot.images.drivers.driver import Driver, DriverKind
from netboot.operations.accounts.lockouts import in_minutes
from web.assets import asset_url
from web.guard.access import Role, role_now
from web.show.job_outcomes import job_outcome
from web.show.ladder import DrawnRung

KIND_WORDS = {
    DriverKind.NETWORK: "Network",
    DriverKind.STORAGE: "Storage",
    DriverKind.SYSTEM: "System",
    DriverKind.OTHER: "Other",
    DriverKind.EXTENSION: "Extension",
    DriverKind.COMPONENT: "Software component",
}
KIND_ICONS = {
    DriverKind.NETWORK: "network",
    DriverKind.STORAGE: "database",
    DriverKind.SYSTEM: "cpu",
    DriverKind.OTHER: "puzzle",
    DriverKind.EXTENSION: "puzzle",
    DriverKind.COMPONENT: "puzzle",
}
# DistributionStatus value: colour, words.
DISTRIBUTION = {
    "CURRENT": ("green", "Up to date"),
    "OUT_OF_DATE": ("yellow", "Out of date"),
    "MISSING": ("secondary", "Not yet distributed"),
    "ALTERED": ("red", "Damaged"),
    "UNREACHABLE": ("red", "Unreachable"),
}
JOB_STATES = {
    "queued": ("secondary", "Waiting"),
    "running": ("blue", "Running"),
    "succeeded": ("green", "Done"),
    "failed": ("red", "Failed"),
    "cancelled": ("secondary", "Cancelled"),
}


def size(count: float) -> str:
    """Bytes for people: 3.4 MiB."""
    if count < 1024:
        return f"{count:.0f} bytes"
    return humanize.naturalsize(count, binary=True, format="%.1f")


def iso(seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@lru_cache(maxsize=4096)
def moment(seconds: float | None) -> Markup:
    """A point in time; the page's script turns it into `3 minutes ago`, in local time."""
    if not seconds:
        return Markup("&ndash;")
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(iso(seconds), text)


def duration(seconds: float) -> str:
    """Seconds for people: 850 ms, 12.3 s, 4 min 10 s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def short(digest: str) -> str:
    """The first twelve digits of a digest, as people compare them."""
    return digest.removeprefix("sha256:")[:12]


def hex_of(digest: str) -> str:
    """A digest as addresses contain it."""
    return digest.removeprefix("sha256:")


def driver_name(inf: str) -> str:
    """The catalog's name of a driver; machines report the name of its INF."""
    return inf.removesuffix(".inf")


def device_name(missing: str) -> str:
    """The device without a driver, in words; machines report `net:8086:100e`."""
    words = {"net": "network card", "storage": "storage controller"}
    parts = (item.partition(":") for item in missing.split())
    return ", ".join(f"{words.get(kind, kind)} {device}".strip() for kind, _, device in parts)


def hardware_search(missing: str) -> str:
    """The catalog search for a device without a driver, for example `8086:100e`."""
    found = re.search(r"\b([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\b", missing)
    if found:
        return f"VEN_{found[1].upper()}&DEV_{found[2].upper()}"
    found = re.search(r"VEN_[0-9A-F]{4}&DEV_[0-9A-F]{4}", missing.upper())
    return found[0] if found else ""


def sentence_end(text: str) -> str:
    """The text with a full stop; its beginning stays as it is."""
    text = text.strip()
    return text if text[-1:] in {"", ".", "!", "?"} else text + "."


def icon(name: str, extra: str = "") -> Markup:
    """An icon out of the sprite; decoration only, so screen readers skip it."""
    return _icon(name, extra, asset_url("vendor/icons.svg"))


@lru_cache(maxsize=1024)
def _icon(name: str, extra: str, sprite: str) -> Markup:
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        extra, sprite, name
    )


@lru_cache(maxsize=1024)
def badge(colour: str, words: str) -> Markup:
    """A state in colour and words, never in colour alone."""
    return Markup('<span class="badge state state-{}">{}</span>').format(colour, words)


def distribution_badge(status: str) -> Markup:
    return badge(*DISTRIBUTION.get(str(status).upper(), ("secondary", str(status))))


def job_badge(state: str) -> Markup:
    return badge(*JOB_STATES.get(state, ("secondary", state)))


COVERAGE = {
    Status.COVERED: ("green", "included"),
    Status.LACKING: ("red", "no driver"),
    Status.UNKNOWN: ("secondary", "unknown"),
}
MACHINE_SOURCES = {
    "report": "all devices, reported by the boot image",
    "ipxe": "only the network card it booted from",
    "list": "imported device list",
}


def coverage_badge(status: Status) -> Markup:
    return badge(*COVERAGE[status])


def kind_label(driver: Driver) -> Markup:
    return label_of(driver.kind)


def label_of(kind: DriverKind) -> Markup:
    return icon(KIND_ICONS[kind]) + Markup(" ") + escape(KIND_WORDS[kind])


def machine_kind(machine: Attempt | KnownMachine) -> str:
    """Architecture and firmware, `x64 · BIOS`; empty if unknown."""
    return " · ".join(filter(None, (machine.architecture, machine.firmware.upper())))


def page_address(app: Flask) -> Callable[..., str]:
    """`url_for` for templates: an address depends on its arguments alone and is built once."""

    @lru_cache(maxsize=4096)
    def built(_root: str, endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
        return app.url_for(endpoint, **dict(values))

    def address(endpoint: str, **values: Any) -> str:
        plain = all(
            type(value) in {str, int, NoneType} or isinstance(value, StrEnum)
            for value in values.values()
        )
        if not plain or endpoint.startswith(".") or any(key.startswith("_") for key in values):
            return app.url_for(endpoint, **values)
        return built(request.root_path, endpoint, tuple(values.items()))

    return address


def ladder_of(app: Flask) -> Callable[[tuple[DrawnRung, ...]], Markup]:
    """A filter: the stages of a boot as HTML, rendered once for each combination of states."""

    @lru_cache(maxsize=256)
    def rendered(_root: str, rungs: tuple[DrawnRung, ...]) -> Markup:
        return Markup(app.jinja_env.get_template("boots/_ladder.html").render(rungs=rungs))  # noqa: S704  # a template of ours

    return lambda rungs: rendered(request.root_path, rungs)


def _common() -> dict[str, object]:
    return {"role": role_now(), "Role": Role}


def init_presentation(app: Flask) -> None:
    app.jinja_env.filters.update(
        size=size,
        moment=moment,
        duration=duration,
        minutes_left=lambda until: in_minutes(until - time.time()),
        short=short,
        hex=hex_of,
        sentence=sentence,
        sentence_end=sentence_end,
        distribution_badge=distribution_badge,
        job_badge=job_badge,
        job_outcome=job_outcome,
        kind_label=kind_label,
        machine_kind=machine_kind,
        coverage_badge=coverage_badge,
        machine_source=lambda source: MACHINE_SOURCES.get(source, source),
        hardware_search=hardware_search,
        driver_name=driver_name,
        device_name=device_name,
        ladder=ladder_of(app),
    )
    app.jinja_env.globals.update(icon=icon, badge=badge, url_for=page_address(app))
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_common)
