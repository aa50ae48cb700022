"""Versions with the files that media are made of, in a site's database and store."""

from netboot.images.architecture import Architecture
from netboot.operations.images import images
from netboot.operations.media import media
from netboot.operations.versions import versions
from netboot.store.database.records import VersionRow
from netboot.store.images.rows import find_image
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.support.content import LAB_FILES, version_of
from tests.web.support.seeding import add_image

BOOTMGR = b"stand-in: bootmgr of BIOS media " * 50
ETFSBOOT = b"stand-in: etfsboot.com ".ljust(4096, b".")


def add_lab_version(site, architecture=Architecture.X64, *, number=1, files=LAB_FILES):
    """A version as a build of the Lab PE leaves it, with short files; it is not published."""
    name = f"Lab PE {architecture}"
    if name not in [image.name for image in images.list_images(site)]:
        add_image(site, name, architecture)
    version = version_of(site, number, image=name, architecture=architecture, files=files)
    with site.database.writing() as session:
        row = find_image(session, name)
        row.versions.append(
            VersionRow(
                number=number,
                recipe_digest=version.recipe_digest,
                recipe={},
                manifest=version.to_json(),
                built_at=version.built_at,
            )
        )
    return media.find_version(site, name, number)


def add_windows_pe(site, folder, *, architecture="x64", for_bios=True):
    """A version of a stand-in for Windows PE, imported and built; it is not published."""
    parts = {
        "/Windows/Boot/PCAT/bootmgr": BOOTMGR,
        "/Windows/Boot/DVD/PCAT/etfsboot.com": ETFSBOOT,
    }
    winpe = SyntheticWinPe(architecture=architecture, files=parts if for_bios else {})
    wim = winpe.capture(folder / architecture)
    name = f"Windows PE {architecture}"
    images.import_image(site, wim, name=name)
    return versions.build_version(site, name).version
