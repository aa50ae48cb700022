"""ISOs that xorriso makes."""

import subprocess
from pathlib import Path


def make_iso(folder: Path, files: dict[str, bytes]) -> Path:
    """An ISO with Joliet, as other tools than Microsoft's make them."""
    tree = folder / "tree"
    for name, data in files.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    iso = folder / "media.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-J", "-R", "-o", iso, tree], check=True, capture_output=True
    )
    return iso
