"""Versions of made-up images on a site's distribution point, without WIMs and builds."""

from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile

NOW = 1_700_000_000.0
LAB_FILES = ("vmlinuz", "initrd.gz", "boot.wim", "boot.wim.cpio")


def version_of(
    site,
    number=1,
    *,
    image="Lab PE x64",
    architecture=Architecture.X64,
    files=LAB_FILES,
    chains=("linux",),
):
    """A version whose files hold their own label; the blobs lie in the site's store."""
    manifest = []
    for name in files:
        blob = site.blobs.add_bytes(content_of(name, number, image))
        manifest.append(ManifestFile(name, blob.digest, blob.size))
    return ContentVersion(
        image=image,
        number=number,
        architecture=architecture,
        recipe_digest="sha256:" + f"{number:064x}",
        built_at=NOW,
        files=tuple(manifest),
        chains=chains,
    )


def content_of(name, number=1, image="Lab PE x64"):
    """What a file of such a version holds."""
    return f"{name} of {image} v{number}\n".encode() * 40


def serve(site, version, *, default=True):
    """Make the point serve the version, to all machines of its architecture where `default`."""
    site.point.update(version, site.blobs, now=NOW)
    if default:
        published = site.point.load()
        defaults = {**published.defaults, version.architecture: version.image}
        site.point.publish_policy(lambda: (defaults, published.assignments))
    return version


def assign(site, mac, image):
    """Give a machine an image of its own."""
    published = site.point.load()
    site.point.publish_policy(lambda: (published.defaults, {**published.assignments, mac: image}))
