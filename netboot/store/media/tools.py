"""Runs Debian's tools that make media and loaders: GRUB, mtools, xorriso, qemu-img.

Each call has a fixed time and language, so the same request gives the same bytes.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from netboot.errors import MissingTool, OperatorFault

GRUB = Path("/usr/lib/grub")
PACKAGES = {
    "grub-mkimage": "grub-common",
    "xorriso": "xorriso",
    "mformat": "mtools",
    "mcopy": "mtools",
    "mmd": "mtools",
    "qemu-img": "qemu-utils",
}
GRUB_PACKAGES = {
    "i386-pc": "grub-pc-bin",
    "i386-pc-eltorito": "grub-pc-bin",
    "x86_64-efi": "grub-efi-amd64-bin",
    "i386-efi": "grub-efi-ia32-bin",
}

_LONGEST_SECONDS = 3600


class Tools:
    """Runs tools with the fixed time `at`, in epoch seconds."""

    def __init__(self, at: int) -> None:
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(at),
            "MTOOLS_SKIP_CHECK": "1",
            "MTOOLSRC": "/dev/null",
        }

    def run(self, tool: str, arguments: Sequence[str | Path], *, cwd: Path | None = None) -> str:
        """The tool's output. Raises MissingTool, or OperatorFault with its last message."""
        path = shutil.which(tool, path=self._environment["PATH"])
        if path is None:
            raise MissingTool(
                f"{tool} is not installed, so boot media cannot be created",
                hint=f"Install it: apt-get install {PACKAGES[tool]}",
            )
        try:
            done = subprocess.run(
                [path, *map(str, arguments)],
                cwd=cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as fault:
            raise OperatorFault(
                f"{tool} did not finish within {_LONGEST_SECONDS // 60} minutes",
                hint="The disk of the data folder may be too slow. Nothing was changed.",
            ) from fault
        if done.returncode:
            message = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-400:]
            raise OperatorFault(
                f"{tool} failed: {message}",
                hint="Check the free disk space and try again. Nothing was changed.",
            )
        return done.stdout

    def grub(
        self,
        platform: str,
        early: str,
        modules: Sequence[str],
        out: Path,
        *,
        prefix: str = "/netboot",
    ) -> None:
        """GRUB in one file, with its first commands; it loads the rest from `prefix`.

        Raises MissingTool, OperatorFault.
        """
        folder = grub_folder(platform)
        commands = out.with_name(f"{out.name}.cfg")
        commands.write_text(early, encoding="ascii")
        arguments: list[str | Path] = ["-d", folder, "-O", platform, "-o", out]
        self.run("grub-mkimage", [*arguments, "-c", commands, "-p", prefix, *modules])
        commands.unlink()


def grub_folder(platform: str) -> Path:
    """The folder of GRUB's parts for a platform. Raises MissingTool."""
    folder = GRUB / platform.removesuffix("-eltorito")
    if not (folder / "kernel.img").is_file():
        raise MissingTool(
            f"GRUB for {platform} is not installed, so boot loaders cannot be created",
            hint=f"Install it: apt-get install {GRUB_PACKAGES[platform]}",
        )
    return folder
