"""Executes a plan on a copy of the source, checks the result, and makes the files for clients.

Law: the source is only read. Everything that is added gets the plan's time, so two builds of a
recipe give the same bytes. The result is read back: every hash in the WIM, every added file, the
boot index. The files are in the caller's work folder and not synced yet.
"""

import fcntl
import functools
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netboot.errors import ContentFault, DigestMismatch, FormatError, OperatorFault, Quarantined
from netboot.formats import cpio
from netboot.formats.bcd import BootConfiguration, write_bcd
from netboot.formats.sdi import parse_sdi
from netboot.formats.wim.wim import HEADER_SIZE, WimFlag
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.servicing import boot_layout as layout
from netboot.images.servicing.plan import BootSettings, Plan
from netboot.progress import ByteProgress, silent
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.foreign.confinement import Limits
from netboot.store.wim import sandbox
from netboot.store.wim.sandbox import WorkerDied, WorkerRefused
from netboot.store.wim.staging import Locate, Staging, chunks, request_of, sha1_of

_CHUNK = 1 << 18
_FICLONE = 0x40049409


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file for clients: its name in the manifest, path, `sha256:<hex>`, bytes."""

    name: str
    path: Path
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class BuiltFiles:
    """The result of a build, with its boot methods, best first.

    `secrets` are those in the source and in everything that was added, `inside` are the files in
    the WIM: SHA-1 by path.
    """

    files: tuple[BuiltFile, ...]
    chains: tuple[str, ...]
    findings: tuple[str, ...] = ()
    secrets: tuple[SecretFinding, ...] = ()
    inside: Mapping[str, str] = field(default_factory=dict)

    def file(self, name: str) -> BuiltFile | None:
        return next((file for file in self.files if file.name == name), None)


def build(
    *,
    source: Path,
    facts: ImageFacts,
    plan: Plan,
    driver_files: Locate,
    workdir: Path,
    progress: ByteProgress = silent,
    limits: Limits | None = None,
) -> BuiltFiles:
    """Build the files of a version below `workdir` (an empty folder on the store's file system).

    Raises ContentFault if a blob is missing or damaged, OperatorFault if the WIM library fails, and
    what `progress` raises, which cancels the build.
    """
    wim = workdir / "boot.wim"
    work = functools.partial(_work, wim=wim, workdir=workdir, progress=progress, limits=limits)
    try:
        if copy(source, wim, progress) != plan.source:
            raise DigestMismatch(
                f"the source {plan.source} was changed on disk; it cannot be built"
            )
        _make_writable(wim)
        staging = Staging(workdir / "add", plan.at, driver_files)
        result = work("build", request_of(plan, facts, staging))
        for sentence in (*result["faults"], *result["warnings"]):
            raise ContentFault(f"The built image does not match the recipe: {sentence}")
        # Usually wimlib appends. Then the bytes of the source need no second verification: its
        # hashes were checked at the import, and its digest while it was copied.
        if not _continues(source, wim, progress):
            work("verify", {})
        paths = {"boot.wim": wim, **_taken_out(plan, result["extracted"], workdir / "files")}
        if plan.settings.boot_sdi:
            paths["boot.sdi"] = _own_sdi(driver_files(plan.settings.boot_sdi), workdir)
        chains = layout.chains(paths)
        if "linux" in chains:
            paths["boot.wim.cpio"] = _as_cpio(wim, workdir / "boot.wim.cpio")
        if {"native", "wimboot"} & {*chains}:
            paths |= _boot_configurations(plan.settings, facts, paths, workdir)
        files = tuple(_measured(paths, progress))
    except OSError as fault:
        raise explain_disk_fault(fault, workdir) from fault
    findings = plan.findings if chains else (*plan.findings, _unbootable(facts))
    secrets = (*facts.secrets, *staging.secrets)
    return BuiltFiles(files, chains, findings, secrets, dict(result["files"]))


def _make_writable(wim: Path) -> None:
    """Clear the read-only flag of a copy: wimlib refuses to change such a file (error 71)."""
    at, size = 16, 4  # the flags in the header
    with wim.open("r+b") as stream:
        stream.seek(at)
        flags = int.from_bytes(stream.read(size), "little")
        stream.seek(at)
        stream.write((flags & ~WimFlag.READONLY).to_bytes(size, "little"))


def _work(
    command: str,
    request: dict[str, Any],
    *,
    wim: Path,
    workdir: Path,
    progress: ByteProgress,
    limits: Limits | None,
) -> dict[str, Any]:
    """Run a command in the sandbox; translate its refusals."""
    try:
        answer = sandbox.run(
            command, request, wim=wim, workdir=workdir, progress=progress, limits=limits
        )
    except WorkerRefused as error:
        raise OperatorFault(
            f"The image could not be built ({error.stage}): {error}",
            hint="Check the free disk space and build again.",
        ) from error
    except WorkerDied as error:
        raise Quarantined(
            f"The image could not be built: {error}",
            hint="Build again. If it fails again, import the source again.",
        ) from error
    return answer.result


def copy(source: Path, target: Path, progress: ByteProgress = silent) -> str:
    """Copy a file, sharing its blocks if the file system can; returns the digest of the source."""
    size = source.stat().st_size
    sha256, done = hashlib.sha256(), 0
    # The target is buffered: on an almost full disk a raw write writes a part, and says so only.
    with source.open("rb", buffering=0) as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            shared = True
        except OSError:  # ext4, tmpfs, or two file systems
            shared = False
        for chunk in chunks(reader):
            sha256.update(chunk)
            if not shared:
                writer.write(chunk)
            done += len(chunk)
            progress("copy", done, size)
    return f"sha256:{sha256.hexdigest()}"


def _continues(source: Path, wim: Path, progress: ByteProgress) -> bool:
    """Whether the WIM is the source with something appended, apart from the header."""
    size = source.stat().st_size
    before, after = bytearray(_CHUNK), bytearray(_CHUNK)
    with source.open("rb", buffering=0) as old, wim.open("rb", buffering=0) as new:
        old.seek(HEADER_SIZE)
        new.seek(HEADER_SIZE)
        while count := old.readinto(before):
            if count < len(before):  # the end: the rest of the buffer is old
                before, after = before[:count], bytearray(count)
            if new.readinto(after) != count or before != after:
                return False
            progress("verify", old.tell(), size)
    return True


def _taken_out(plan: Plan, extracted: list[str], folder: Path) -> dict[str, Path]:
    """Boot files that the worker extracted from the built WIM, compared with the import."""
    paths = {}
    for file in plan.taken_out:
        if file.path not in extracted:
            continue
        path = folder / file.path.lstrip("/")
        if path.is_symlink() or sha1_of(path.read_bytes()) != file.sha1:
            raise ContentFault(f"{file.path} is damaged in the built image")
        paths[file.name] = path
    return paths


def _own_sdi(blob: Path, workdir: Path) -> Path:
    """A copy of the operator's boot.sdi, which replaces that of the image."""
    path = workdir / "boot.sdi"
    shutil.copyfile(blob, path)
    try:
        parse_sdi(path.read_bytes())
    except FormatError as error:
        raise OperatorFault(
            f"The boot.sdi of this image cannot be used: {error}",
            hint="Use boot\\boot.sdi from Windows installation media.",
        ) from error
    return path


def _boot_configurations(
    settings: BootSettings, facts: ImageFacts, paths: dict[str, Path], workdir: Path
) -> dict[str, Path]:
    """A store for each firmware whose boot manager exists, with its winload (.exe or .efi)."""
    made = {}
    for name, manager, extension in (
        ("BCD-bios", layout.BIOS_MANAGER, ".exe"),
        ("BCD-uefi", layout.UEFI_MANAGER, ".efi"),
    ):
        if manager not in paths:
            continue
        loader = facts.loader(extension) or f"\\Windows\\System32\\boot\\winload{extension}"
        configuration = BootConfiguration(
            title=settings.title,
            is_uefi=extension == ".efi",
            loader_path=loader,
            block_size=settings.block_size,
            window_size=settings.window_size,
            menu_seconds=settings.menu_seconds,
            locale=settings.locale,
        )
        path = workdir / name
        path.write_bytes(write_bcd(configuration))
        made[name] = path
    return made


def _as_cpio(wim: Path, target: Path) -> Path:
    """The WIM as a second initrd for a Linux kernel."""
    size = wim.stat().st_size
    with wim.open("rb") as reader, target.open("xb") as writer:
        writer.write(cpio.prefix("boot.wim", size))
        writer.flush()
        shutil.copyfileobj(reader, writer, _CHUNK)
        writer.write(cpio.suffix(size))
    return target


def _measured(paths: dict[str, Path], progress: ByteProgress) -> Iterator[BuiltFile]:
    """Digest and size of each file. Raises ContentFault for an empty one."""
    for name, path in sorted(paths.items()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        if not size:
            # iPXE acknowledges block 0 of an empty file over TFTP for ever.
            raise ContentFault(f"{name} is empty after the build")
        progress("hash", size, size)
        yield BuiltFile(name, path, f"sha256:{digest}", size)


def _unbootable(facts: ImageFacts) -> str:
    lacking = ", ".join(missing.name for missing in facts.missing)
    return f"No machine can boot this version: the image lacks {lacking}."
