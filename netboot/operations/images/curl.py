"""curl.exe, with which Windows PE reports to this site, from another image of the site.

Windows has it since Windows 10 1803; many older images that people still boot lack it.
"""

from netboot.errors import InvalidInput, NotFound, OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.servicing.shortfalls import CURL
from netboot.images.servicing.startup_hooks import SYSTEM32
from netboot.operations.images.properties import add_file
from netboot.operations.images.view import ImageView, get_image, list_images
from netboot.site import Site
from netboot.store.wim import sandbox
from netboot.store.wim.sandbox import WorkerDied, WorkerRefused

PATH = f"{SYSTEM32}/{CURL}"


def lenders(site: Site, architecture: Architecture) -> list[ImageView]:
    """The images of this architecture whose source has curl.exe."""
    return [
        view
        for view in list_images(site)
        if view.architecture is architecture
        and not view.is_lab
        and CURL in (view.facts.programs or ())
        and not view.source_altered_at
    ]


def add_curl(
    site: Site, image: str, *, lender: str = "", row_version: int | None = None
) -> ImageView:
    """Add the curl.exe of another image (`lender`, or any) as an extra file.

    Raises NotFound if no image of the architecture has one, InvalidInput, EditConflict.
    """
    view = get_image(site, image)
    found = [one for one in lenders(site, view.architecture) if one.name != view.name]
    if lender:
        named = get_image(site, lender)
        found = [one for one in found if one.name == named.name]
    if not found:
        raise NotFound(
            f"{lender} has no curl.exe for {view.architecture}"
            if lender
            else f"no other image of this site has curl.exe for {view.architecture}",
            hint=(
                "Copy System32\\curl.exe of a Windows of the same architecture and add it: "
                f'netboot image add-file "{view.name}" curl.exe {PATH}'
            ),
        )
    with site.blobs.staging_folder() as work:
        try:
            answer = sandbox.run(
                "take",
                {"index": found[0].facts.index, "paths": [PATH]},
                wim=site.blobs.require(found[0].source_digest),
                workdir=work,
            )
        except (WorkerRefused, WorkerDied) as fault:
            raise OperatorFault(
                f"curl.exe cannot be taken out of {found[0].name}: {fault}",
                hint="Name another image, or add the file yourself.",
            ) from fault
        taken = [work / "files" / path.lstrip("/") for path in answer.result["extracted"]]
        if not taken or taken[0].is_symlink():
            raise InvalidInput(
                f"the source of {found[0].name} has no curl.exe", hint="Name another image."
            )
        return add_file(site, view.name, taken[0], PATH, row_version=row_version)
