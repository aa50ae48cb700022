"""The folder `altered/` next to `blobs/`: the quarantine of damaged blobs."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netboot.store.content.blobs import ALTERED, PREFIX
from netboot.store.content.disk_faults import explain_disk_fault


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quarantined file: the digest that it should have, its size, since when (epoch seconds)."""

    digest: str
    size: int
    at: float


def list_aside(root: Path) -> list[SetAside]:
    """The quarantined files of the store at `root`, by digest."""
    found = []
    for path in sorted((root / ALTERED).glob("?" * 64)):
        with suppress(FileNotFoundError):  # another process deleted it
            state = path.stat()
            found.append(SetAside(PREFIX + path.name, state.st_size, state.st_mtime))
    return found


def delete_aside(root: Path, digest: str) -> bool:
    """Delete a quarantined file; returns whether it existed. Raises OperatorFault."""
    path = root / ALTERED / digest.removeprefix(PREFIX)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as fault:
        raise explain_disk_fault(fault, path.parent) from fault
    return True
