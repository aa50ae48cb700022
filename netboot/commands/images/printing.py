"""What `netboot image` prints: an image and its facts, the report on a source, a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.properties import NO_PROPERTIES, PROPERTY_WORDS, Properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netboot.images.boot_image.description import BootFile, ImageFacts
    from netboot.images.servicing.source_change import FileChanges, SourceChange
    from netboot.images.versions.version_change import Change, VersionChange
    from netboot.operations.images.view import ImageView

SIGNERS = {
    "2011": "signed by Microsoft's authority of 2011",
    "2023": "signed by Microsoft's authority of 2023",
    "other": "signed by another authority",
    "": "not signed",
}
STATES = {
    "CURRENT": "current",
    "OUT_OF_DATE": "out of date",
    "MISSING": "not distributed",
    "ALTERED": "altered, out of service",
    "UNREACHABLE": "unreachable",
}
NAMES_SHOWN = 12


def state_of(view: ImageView) -> str:
    if view.current is None:
        return "not built yet"
    words = STATES[view.distribution]
    return f"{words}, changed since" if view.needs_build and not view.altered else words


def tell_image(view: ImageView, recipients: str) -> None:
    """Print an image; `recipients` says who gets it."""
    label = f", {view.version_label}" if view.version_label else ""
    click.echo(f"{view.name}{label} ({view.architecture}), {state_of(view)}")
    click.echo(f"  machines {recipients}")
    if view.comment:
        click.echo(f"  comment  {view.comment}")
    click.echo(f"  source   {view.source_name}, {view.source_size} bytes, {view.source_digest}")
    for line in _facts(view.facts):
        click.echo(f"  source   {line}")
    for name, value in _properties(view.properties):
        click.echo(f"  property {name}: {value}")
    for driver in view.drivers:
        off = "" if driver.enabled else "  (disabled since)"
        click.echo(f"  driver   {driver.name} {driver.version}{off}")
    for version in view.versions:
        served = "  <- served" if version.number == view.served_version else ""
        wrong = view.altered.get(version.number)
        out = f"  OUT OF SERVICE: {', '.join(wrong)} was altered" if wrong else ""
        click.echo(f"  version  {version.number}{served}{out}")
    for one in view.abilities:
        click.echo(f"  does     {one.name}: {one.text}")
    for line in shortfall_lines(view):
        click.echo(line)
    for sentence in alarms(view):
        click.echo(f"  note     {sentence}")


def shortfall_lines(view: ImageView) -> Iterator[str]:
    """What the image cannot do although its recipe asks for it, and how to fix that."""
    for one in view.shortfalls:
        yield f"  cannot   {one.text}"
        yield f"           -> {one.fix}"


def alarms(view: ImageView) -> Iterator[str]:
    """What needs attention."""
    if view.source_altered_at:
        yield f'the source was altered on the disk; netboot image reload "{view.name}" FILE'
    for secret in view.secrets:
        yield f"a secret that anyone who boots it can read: {secret.sentence}"
    if view.acceptance:
        yield f"{view.acceptance.by} accepted secrets: {view.acceptance.reason}"
    if view.candidate:
        yield f"{view.candidate.name} was examined as a newer source and needs your decision"
    yield from (*view.facts.findings, *view.findings)


def _facts(facts: ImageFacts) -> Iterator[str]:
    """What is known about a source."""
    yield (
        f"Windows PE {facts.version or 'of unknown version'} {facts.edition},"
        f" {', '.join(facts.languages) or 'language unknown'}"
    )
    chosen = f"image {facts.index} of {len(facts.images)}, boot index {facts.boot_index}"
    yield f"{chosen}, {facts.compression}, {facts.file_count} files, {facts.total_size} bytes"
    yield from (f"holds {_boot_file(file)}" for file in facts.boot_files)
    loaders = uefi_loader.held(facts.boot_files)
    yield from (
        f"UEFI loader of {year} ({certificate}): {loaders.get(year, 'none')}"
        for year, certificate in uefi_loader.AUTHORITIES.items()
    )
    yield from (f"lacks {file.name} for {file.needed_for}: {file.source}" for file in facts.missing)
    if facts.packages:
        yield f"components: {', '.join(facts.packages)}"
    if facts.drivers:
        yield f"drivers of earlier builds or of the driver store: {_names(facts.drivers)}"
    yield f"{len(facts.inbox)} network and storage drivers of Windows inside"


def _properties(properties: Properties) -> Iterator[tuple[str, str]]:
    """Properties that are set, with their names for people."""
    for name, words in PROPERTY_WORDS.items():
        value = getattr(properties, name)
        if value == getattr(NO_PROPERTIES, name):
            continue
        if name == "extra_files":
            yield from ((words, f"{file.path}, {file.size} bytes") for file in value)
        else:
            yield words, "yes" if value is True else str(value)


def tell_report(report: SourceChange) -> None:
    click.echo(
        f"Windows PE {report.old_version or 'unknown'} -> {report.new_version or 'unknown'},"
        f" {report.size_change:+d} bytes"
    )
    _tell_files("files", report.files)
    _tell_files("boot files", report.boot_files)
    for words, names in (
        ("driver now included in Windows", report.now_inbox),
        ("driver no longer included in Windows", report.no_longer_inbox),
        ("component added", report.packages_added),
        ("component removed", report.packages_removed),
        ("new secret", report.new_secrets),
        ("note", report.remarks),
        ("CONFLICT", report.conflicts),
    ):
        for name in names:
            click.echo(f"  {words}: {name}")


def tell_comparison(change: VersionChange) -> None:
    click.echo(f"v{change.old} -> v{change.new}")
    for what, changes in (
        ("source", (change.source,) if change.source else ()),
        ("driver", change.drivers),
        ("property", change.properties),
        ("file for clients", change.files),
    ):
        for one in changes:
            click.echo(f"  {what}: {_change(one)}")
    if change.inside is not None:
        _tell_files("files in the WIM", change.inside)


def _tell_files(what: str, files: FileChanges) -> None:
    click.echo(
        f"  {what}: {files.added_count} added, {files.removed_count} removed,"
        f" {files.changed_count} changed"
    )
    for sign, names in (("+", files.added), ("-", files.removed), ("~", files.changed)):
        for name in names[:NAMES_SHOWN]:
            click.echo(f"    {sign} {name}")


def _change(one: Change) -> str:
    return f"{one.name}: {one.before or 'nothing'} -> {one.after or 'nothing'}"


def _boot_file(file: BootFile) -> str:
    signed = f", {SIGNERS[file.signer]}" if file.name.endswith((".efi", ".exe")) else ""
    return f"{file.name} ({file.path}, {file.size} bytes{signed})"


def _names(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else ""
    return ", ".join(path.rpartition("/")[2] for path in paths[:NAMES_SHOWN]) + more


def plain_image(view: ImageView) -> dict[str, object]:
    return {
        "name": view.name,
        "slug": view.slug,
        "architecture": view.architecture.value,
        "comment": view.comment,
        "source": {
            "name": view.source_name,
            "digest": view.source_digest,
            "size": view.source_size,
            "facts": view.facts.to_json(),
            "altered": bool(view.source_altered_at),
        },
        "candidate": view.candidate.name if view.candidate else None,
        "version_label": view.version_label,
        "properties": view.properties.to_json(),
        "abilities": [
            {"name": one.name, "can": one.can, "text": one.text} for one in view.abilities
        ],
        "shortfalls": [
            {
                "text": one.text,
                "fix": one.fix,
                "program": one.program,
                "drivers": [digest for digest, _ in one.fixes],
            }
            for one in view.shortfalls
        ],
        "secrets": [secret.sentence for secret in view.secrets],
        "altered": {str(number): list(names) for number, names in view.altered.items()},
        "drivers": [{"name": d.name, "digest": d.digest} for d in view.drivers],
        "versions": [version.number for version in view.versions],
        "current": view.current.number if view.current else None,
        "served": view.served_version,
        "state": view.distribution,
        "needs_build": view.needs_build,
        "default": view.is_default,
    }
