"""Boot methods over the API: how machines start a boot image, and the wimboot file."""

from typing import Literal

from pydantic import BaseModel, Field

from netboot.operations.images import boot_chain as operations
from web.api.images.images import Image, ImagePath
from web.api.subject import Order, Subject, Tagged, Value, tagged
from web.api.uploads import FileUpload, uploaded_path
from web.guard.access import Role, site

boot_chains = Subject("boot-chains", "How machines start a boot image, and the wimboot file.")


class Wimboot(Value):
    """The wimboot file that machines get over HTTP."""

    digest: str
    size: int


class ServedWimboot(Value):
    """The current wimboot file; null if none was imported."""

    wimboot: Wimboot | None


class WimbootUpload(FileUpload):
    """A wimboot file from an upload."""

    sha256: str = Field("", max_length=71, description="Reject the file unless it has this digest.")


class TypedWimboot(BaseModel):
    """The confirmation."""

    name: str = Field("", max_length=100, description="wimboot: it is served to machines.")


class PreferredChain(Order):
    """The preferred boot method for a firmware; empty means automatic."""

    firmware: Literal["bios", "uefi"]
    chain: str = Field("", max_length=20)


@boot_chains.verb("GET", "/wimboot", needs=Role.VIEWER)
def get_wimboot() -> ServedWimboot:
    """Get the current wimboot file."""
    return ServedWimboot.of({"wimboot": operations.served_wimboot(site())})


@boot_chains.verb("PUT", "/wimboot", needs=Role.OPERATOR, action="supply")
def import_wimboot(body: WimbootUpload) -> Wimboot:
    """Import wimboot from an upload and serve it."""
    with uploaded_path(body.upload) as path:
        return Wimboot.of(operations.import_wimboot(site(), path, sha256=body.sha256))


@boot_chains.verb("DELETE", "/wimboot", needs=Role.OPERATOR, action="remove")
def forget_wimboot(query: TypedWimboot) -> None:
    """Remove wimboot, which is served to machines. Needs its name as confirmation."""
    operations.forget_wimboot(site(), typed=query.name)


@boot_chains.verb("PUT", "/images/<slug>", needs=Role.OPERATOR)
def prefer_chain(path: ImagePath, body: PreferredChain) -> Tagged[Image]:
    """Set the preferred boot method for a firmware. Takes effect with the next version."""
    view = operations.prefer_chain(site(), path.slug, chains={body.firmware: body.chain})
    return tagged(Image, view)
