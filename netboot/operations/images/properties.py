"""Customise a boot image: scratch space, background, prestart command, files and the like.

Law: a change that the image cannot take is refused at once, with the reason.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from netboot.errors import Difference, FormatError, InvalidInput, NotFound, OperatorFault
from netboot.formats.jpeg import picture_size
from netboot.formats.sdi import parse_sdi
from netboot.images.boot_image.boot_image import COMMENT_LIMIT, BootImage
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import ExtraFile, Properties, check_image_path
from netboot.images.servicing.plan import plan
from netboot.operations.images.renaming import rename
from netboot.operations.images.view import ImageView, get_image
from netboot.site import Site
from netboot.store.content.named_files import read_file
from netboot.store.images.rows import find_image, image_value, unchanged

PRESTART_FOLDER = "/Windows/Prestart"
"""The folder of the prestart command's files: %SystemRoot%\\Prestart in the running image."""

LABEL_LIMIT = 64


@dataclass(frozen=True, slots=True)
class FileProperty:
    """A property that is a file of at most `limit` bytes; `check` raises FormatError."""

    field: str
    what: str
    limit: int
    check: Callable[[bytes], object]
    hint: str


BACKGROUND = FileProperty(
    "background",
    "the background",
    32 << 20,
    picture_size,
    "Windows PE shows JPEG pictures only; save it as .jpg.",
)
BOOT_SDI = FileProperty(
    "boot_sdi",
    "boot.sdi",
    64 << 20,
    parse_sdi,
    "Take boot\\boot.sdi of Windows installation media.",
)

_BY_FILE = {"background", "boot_sdi", "extra_files"}


def set_details(
    site: Site,
    image: str,
    *,
    name: str | None = None,
    version_label: str | None = None,
    comment: str | None = None,
    row_version: int | None = None,
) -> ImageView:
    """Change name, version label and comment; None keeps a value.

    None of them changes the bytes of a version; for the name see
    netboot.operations.images.renaming. Raises InvalidInput, AlreadyExists, InUse, EditConflict.
    """
    for text, limit, what in (
        (version_label, LABEL_LIMIT, "version"),
        (comment, COMMENT_LIMIT, "comment"),
    ):
        if text is not None and len(text) > limit:
            raise InvalidInput(f"a {what} has at most {limit} characters")
    if version_label is not None and not version_label.isprintable():
        raise InvalidInput("a version is one line of printable characters")
    with site.database.writing() as session:
        row = find_image(session, image)
        label, text, called = row.version_label, row.comment, row.name
        unchanged(
            row,
            row_version,
            Difference("name", called if name is None else name.strip(), called),
            Difference("version", label if version_label is None else version_label, label),
            Difference("comment", text if comment is None else comment, text),
        )
        if name is not None:
            rename(site, session, row, name)
        row.version_label = row.version_label if version_label is None else version_label
        row.comment = row.comment if comment is None else comment
        name = row.name
    return get_image(site, name)


def set_properties(
    site: Site, image: str, changes: Mapping[str, Any], *, row_version: int | None = None
) -> ImageView:
    """Change fields of `Properties` that are no files. Raises InvalidInput, EditConflict."""
    known = {field.name for field in fields(Properties)} - _BY_FILE
    if unknown := set(changes) - known:
        raise InvalidInput(f"boot images have no property called {min(unknown)}")
    return _change(site, image, lambda now: replace(now, **changes), row_version)


def set_background(
    site: Site, image: str, picture: Path | None, *, row_version: int | None = None
) -> ImageView:
    """Show this JPEG picture, or the image's own (None). Raises InvalidInput."""
    return _set_file(site, image, picture, BACKGROUND, row_version)


def set_boot_sdi(
    site: Site, image: str, sdi: Path | None, *, row_version: int | None = None
) -> ImageView:
    """Use this boot.sdi, or the image's own (None). Raises InvalidInput."""
    return _set_file(site, image, sdi, BOOT_SDI, row_version)


def add_file(
    site: Site, image: str, file: Path, target: str = "", *, row_version: int | None = None
) -> ImageView:
    """Add a file at `target`, a path like /Tools/ask.cmd; it replaces one of the same path.

    A target that ends in a slash is a folder; without one it is the folder of the prestart command.
    Raises InvalidInput.
    """
    wanted = target.strip().replace("\\", "/") or f"{PRESTART_FOLDER}/"
    path = wanted + file.name if wanted.endswith("/") else wanted
    check_image_path(path)
    blob = site.blobs.add_file(file)
    added = ExtraFile(path, blob.digest, blob.size)

    def change(now: Properties) -> Properties:
        kept = [held for held in now.extra_files if held.path.lower() != path.lower()]
        return replace(now, extra_files=(*kept, added))

    return _change(site, image, change, row_version)


def remove_file(
    site: Site, image: str, target: str, *, row_version: int | None = None
) -> ImageView:
    """Remove an extra file from the recipe. Raises NotFound."""

    def change(now: Properties) -> Properties:
        kept = tuple(held for held in now.extra_files if held.path.lower() != target.lower())
        if len(kept) == len(now.extra_files):
            names = ", ".join(held.path for held in now.extra_files) or "none"
            raise NotFound(f"the image holds no extra file {target}", hint=f"It holds {names}.")
        return replace(now, extra_files=kept)

    return _change(site, image, change, row_version)


def _set_file(
    site: Site, image: str, file: Path | None, wanted: FileProperty, row_version: int | None
) -> ImageView:
    """Store the file and name it in the recipe; None removes the property."""
    digest = ""
    if file is not None:
        data = read_file(file, wanted.limit)
        try:
            wanted.check(data)
        except FormatError as fault:
            raise InvalidInput(
                f"{file.name} cannot be {wanted.what}: {fault}", hint=wanted.hint
            ) from fault
        digest = site.blobs.add_bytes(data).digest

    change = {wanted.field: digest}
    return _change(site, image, lambda now: replace(now, **change), row_version)  # type: ignore[arg-type]


def _change(
    site: Site, image: str, change: Callable[[Properties], Properties], row_version: int | None
) -> ImageView:
    """Change the recipe, unless its image cannot take it."""
    with site.database.writing() as session:
        row = find_image(session, image)
        name, facts = row.name, ImageFacts.from_json(row.facts)
        before = image_value(session, row)
        after = replace(before, properties=change(before.properties))
        unchanged(row, row_version, *_differences(after.properties, before.properties))
        refusal = _refusal(facts, after)
        # If the old recipe fails for the same reason, this change is not to blame.
        if refusal is not None and str(refusal) != str(_refusal(facts, before)):
            raise refusal
        row.properties = after.properties.to_json()
    return get_image(site, name)


def _differences(wanted: Properties, now: Properties) -> Iterator[Difference]:
    """The properties in which the wanted recipe differs from the current one."""
    for field in fields(Properties):
        yours, theirs = getattr(wanted, field.name), getattr(now, field.name)
        if field.name == "extra_files":
            yours, theirs = (", ".join(file.path for file in files) for files in (yours, theirs))
        yield Difference(field.name, str(yours), str(theirs))


def _refusal(facts: ImageFacts, image: BootImage) -> OperatorFault | None:
    """Why this recipe cannot be built, or None."""
    try:
        plan(facts, image, 1)
    except OperatorFault as fault:
        return fault
    return None
