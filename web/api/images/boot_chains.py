"""Boot chains over the API: how machines start an image, and the wimboot that you bring."""

from typing import Literal

from pydantic import Field

from netboot.operations.images import boot_chain as operations
from web.api.images.images import Image, ImagePath
from web.api.subject import Order, Subject, Value, etag
from web.api.uploads import uploaded_path
from web.guard.access import Role, site

boot_chains = Subject("boot-chains", "How machines start an image; the wimboot that you bring.")


class Wimboot(Value):
    """The wimboot that machines get over HTTP."""

    digest: str
    size: int


class ServedWimboot(Value):
    """The wimboot that is served; null where none was brought."""

    wimboot: Wimboot | None


class WimbootUpload(Order):
    """A wimboot from an upload."""

    upload: str = Field(description="What PUT /api/v1/uploads/{name} or tus gave as batch.")
    sha256: str = Field("", max_length=71, description="Refuse the file unless it has this digest.")


class PreferredChain(Order):
    """The chain that a firmware's machines get first; empty gives the choice back."""

    firmware: Literal["bios", "uefi"]
    chain: str = Field("", max_length=20)


@boot_chains.verb("GET", "/wimboot", needs=Role.VIEWER, gives=ServedWimboot)
def get_wimboot() -> ServedWimboot:
    """The wimboot that is served."""
    return ServedWimboot.model_validate({"wimboot": operations.served_wimboot(site())})


@boot_chains.verb("PUT", "/wimboot", needs=Role.OPERATOR, gives=Wimboot, action="supply")
def import_wimboot(body: WimbootUpload) -> Wimboot:
    """Serve an uploaded wimboot from now on."""
    with uploaded_path(body.upload) as path:
        found = operations.import_wimboot(site(), path, sha256=body.sha256)
    return Wimboot.model_validate(found)


@boot_chains.verb("DELETE", "/wimboot", needs=Role.OPERATOR, action="remove")
def forget_wimboot() -> None:
    """Serve no wimboot any more."""
    operations.forget_wimboot(site())


@boot_chains.verb("PUT", "/images/<slug>", needs=Role.OPERATOR, gives=Image)
def prefer_chain(path: ImagePath, body: PreferredChain) -> tuple[Image, dict[str, str]]:
    """Prefer a chain of an image for a firmware; counts with its next version."""
    view = operations.prefer_chain(site(), path.slug, chains={body.firmware: body.chain})
    return Image.of(view), etag(view.row_version)
