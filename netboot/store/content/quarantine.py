"""The folder `altered/` beside `blobs/`: damaged blobs that the scrub took out of use."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netboot.store.content.blobs import ALTERED, PREFIX, explain_disk_fault


@dataclass(frozen=True, slots=True)
class SetAside:
    """Damaged bytes: the digest that they should have, bytes, since when (epoch seconds)."""

    digest: str
    size: int
    at: float


def list_aside(root: Path) -> list[SetAside]:
    """What lies in the folder of the store at `root`, by digest."""
    found = []
    for path in sorted((root / ALTERED).glob("?" * 64)):
        with suppress(FileNotFoundError):  # somebody else deletes it
            state = path.stat()
            found.append(SetAside(PREFIX + path.name, state.st_size, state.st_mtime))
    return found


def delete_aside(root: Path, digest: str) -> bool:
    """Delete the damaged bytes of a digest; whether they were there. Raises OperatorFault."""
    path = root / ALTERED / digest.removeprefix(PREFIX)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as fault:
        raise explain_disk_fault(fault, path.parent) from fault
    return True
