"""Driver packages for tests: values of the catalog, and their files as blobs in a folder."""

import hashlib
from pathlib import Path

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import (
    COMPONENT_CLASS,
    EXTENSION_CLASS,
    NETWORK_CLASS,
    SCSI_CLASS,
    SYSTEM_CLASS,
    Driver,
    DriverFile,
    Model,
)

CLASSES = {
    "Net": NETWORK_CLASS,
    "SCSIAdapter": SCSI_CLASS,
    "System": SYSTEM_CLASS,
    "Extension": EXTENSION_CLASS,
    "SoftwareComponent": COMPONENT_CLASS,
}
OTHER_CLASS = "4d36e968-e325-11ce-bfc1-08002be10318"


class BlobFolder:
    """Blobs by digest in one folder, as a builder asks for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def add(self, data: bytes) -> str:
        """Store bytes; their digest."""
        name = hashlib.sha256(data).hexdigest()
        (self.folder / name).write_bytes(data)
        return f"sha256:{name}"

    def path(self, digest: str) -> Path:
        """Where a blob lies."""
        return self.folder / digest.removeprefix("sha256:")


def make_driver(
    name: str,
    *,
    class_name: str = "Net",
    architecture: Architecture = Architecture.X64,
    blobs: BlobFolder | None = None,
    program: bytes = b"",
    enabled: bool = True,
    minimum_build: int = 0,
    catalog_file: str = "driver.cat",
    ids: tuple[str, ...] = ("PCI\\VEN_1AF4&DEV_1000",),
    service: str = "",
) -> Driver:
    """A package of INF, SYS and CAT; its files are stored where `blobs` is given."""
    program = program or hashlib.sha256(name.encode()).digest() * 160
    contents = {
        f"{name}.inf": f"[Version]\r\nClass={class_name}\r\n; {name}\r\n".encode(),
        f"{name}.sys": program,
        "driver.cat": b"stand-in catalog " + name.encode(),
    }
    files = []
    for path, data in contents.items():
        digest = blobs.add(data) if blobs else f"sha256:{hashlib.sha256(data).hexdigest()}"
        files.append(DriverFile(path, digest, len(data)))
    identity = hashlib.sha256(repr(files).encode()).hexdigest()
    return Driver(
        digest=f"sha256:{identity}",
        name=name,
        inf_name=f"{name}.inf",
        provider="Lab",
        class_name=class_name,
        class_guid=CLASSES.get(class_name, OTHER_CLASS),
        version="1.2.3.4",
        date="2024-01-31",
        architectures=frozenset({architecture}),
        models=(Model(architecture, "A device", ids, (), service, minimum_build),),
        files=tuple(files),
        catalog_file=catalog_file,
        catalog_checked=bool(catalog_file),
        enabled=enabled,
    )
