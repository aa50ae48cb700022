"""ISOs that xorriso and genisoimage make."""

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


def make_udf(folder: Path, files: dict[str, bytes]) -> Path:
    """An ISO as Microsoft lays it out: UDF holds the files, ISO 9660 only a readme."""
    tree = folder / "udf"
    for name, data in {"README.TXT": b"This disc is UDF.\n", **files}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    iso = folder / "udf.iso"
    hidden = [word for path in tree.iterdir() if path.is_dir() for word in ("-hide", path.name)]
    command = ["genisoimage", "-quiet", "-udf", "-allow-limited-size", *hidden, "-o", iso, tree]
    subprocess.run(command, check=True, capture_output=True)
    return iso
