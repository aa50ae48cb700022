"""Debian packages for the Lab PE, fetched into a private apt tree.

The host's packages and architecture do not matter, and root is not needed: every call gives apt its
own state folder, source list and architecture. apt checks signatures and hashes. The suite is
Debian 12 unless said otherwise, the last one with a kernel for 32-bit PCs.
"""

import os
import posixpath
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import MissingTool, OperatorFault
from netboot.images.architecture import Architecture
from vm.tools import require_tool

SUITE = "bookworm"
MIRROR_VARIABLE = "NETBOOT_DEBIAN_MIRROR"
MIRROR_LIST = Path("/usr/share/python-apt/templates/Debian.info")
"""apt's list of Debian mirrors, on Ubuntu too (python-apt-common)."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

DEBIAN_ARCHITECTURE = {Architecture.X64: "amd64", Architecture.X86: "i386"}
KERNEL_METAPACKAGE = {Architecture.X64: "linux-image-amd64", Architecture.X86: "linux-image-686"}

# What wimlib-imagex and the shell of the Lab PE are made of.
USERLAND = (
    "busybox-static",
    "wimtools",
    "libwim15",
    "libc6",
    "libfuse2",
    "libntfs-3g89",
    "libxml2",
    "libicu72",
    "zlib1g",
    "liblzma5",
    "libstdc++6",
    "libgcc-s1",
)

_LINK_LIMIT = 8  # links to links that are followed; a kernel follows more
_NETWORK_HINT = (
    "The Lab PE needs Debian packages: check that this machine reaches its Debian mirror, "
    f"or set {MIRROR_VARIABLE} to another one."
)


@dataclass(frozen=True, slots=True)
class AptTree:
    """A private apt state under `folder`; one tree serves both architectures."""

    folder: Path
    suite: str = SUITE

    def run(self, tool: str, arguments: Sequence[str], *, cwd: Path | None = None) -> str:
        """Standard output of an apt tool run on this tree. Raises OperatorFault."""
        argv = [require_tool(tool, package="apt"), *self._options(), *arguments]
        done = subprocess.run(
            argv, cwd=cwd, capture_output=True, text=True, check=False, env=_plain_environment()
        )
        if done.returncode:
            words = "; ".join(done.stderr.strip().splitlines()[-3:])
            raise OperatorFault(f"{tool} {arguments[0]} failed: {words}", hint=_NETWORK_HINT)
        return done.stdout

    def update(self) -> None:
        """Make the folders and fetch the package lists. Raises OperatorFault."""
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        signed = f"signed-by={KEYRING} " if KEYRING.exists() else ""
        line = f"deb [{signed}arch=amd64,i386] {find_mirror()} {self.suite} main\n"
        (self.folder / "etc" / "sources.list").write_text(line, encoding="ascii")
        self.run("apt-get", ["update", "--error-on=any"])

    def kernel_package(self, architecture: Architecture) -> str:
        """The package that holds the newest kernel, such as `linux-image-6.1.0-50-686`."""
        debian = DEBIAN_ARCHITECTURE[architecture]
        text = self.run("apt-cache", ["show", f"{KERNEL_METAPACKAGE[architecture]}:{debian}"])
        match = re.search(r"^Depends:.*?\b(linux-image-\d[\w.+-]*)", text, re.MULTILINE)
        if match is None:
            raise OperatorFault(
                f"{KERNEL_METAPACKAGE[architecture]} depends on no kernel", hint=_NETWORK_HINT
            )
        return match.group(1)

    def download(self, packages: Iterable[str], architecture: Architecture) -> list[Path]:
        """Fetch those `.deb` files of `packages` that are missing; returns all of them."""
        folder = self.folder / "debs" / architecture.value
        folder.mkdir(parents=True, exist_ok=True)
        debian = DEBIAN_ARCHITECTURE[architecture]
        names = [f"{package}:{debian}" for package in packages]
        self.run("apt-get", ["download", *names], cwd=folder)
        return [self._newest(folder, name.partition(":")[0]) for name in names]

    def _newest(self, folder: Path, package: str) -> Path:
        found = sorted(folder.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise OperatorFault(f"apt-get did not download {package}", hint=_NETWORK_HINT)
        for old in found[:-1]:
            old.unlink()
        return found[-1]

    def _options(self) -> list[str]:
        settings = {
            "Dir::State": f"{self.folder}/state",
            "Dir::State::status": f"{self.folder}/status",
            "Dir::Cache": f"{self.folder}/cache",
            "Dir::Etc::sourcelist": f"{self.folder}/etc/sources.list",
            "Dir::Etc::sourceparts": "-",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64,i386",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def read_files(archives: Iterable[Path], wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The wanted files of `.deb` archives by path; a link gives its target's content.

    In memory: a kernel package unpacks to thousands of files.
    """
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for archive in archives:
        _read_archive(archive, wanted, files, links)
    for name in links:
        end = name
        for _ in range(_LINK_LIMIT):
            end = links.get(end, end)
        if end in files:
            files[name] = files[end]
    return files


def _read_archive(
    archive: Path, wanted: Callable[[str], bool], files: dict[str, bytes], links: dict[str, str]
) -> None:
    tool = require_tool("dpkg-deb", package="dpkg")
    with subprocess.Popen(
        [tool, "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as unpacking:
        assert unpacking.stdout is not None
        assert unpacking.stderr is not None
        try:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
                for member in tar:
                    name = posixpath.normpath(member.name)
                    if member.isreg() and wanted(name):
                        content = tar.extractfile(member)
                        files[name] = content.read() if content else b""
                    elif member.issym():
                        target = posixpath.join("/", posixpath.dirname(name), member.linkname)
                        links[name] = posixpath.normpath(target).lstrip("/")
                    elif member.islnk():
                        links[name] = posixpath.normpath(member.linkname)
            words = unpacking.stderr.read().decode(errors="replace").strip()
        except tarfile.TarError as error:
            words = str(error)
    if unpacking.returncode or words:
        archive.unlink(missing_ok=True)
        raise OperatorFault(
            f"{archive.name} cannot be unpacked: {words}",
            hint="The archive has been deleted; run the build again to download it.",
        )


def find_mirror() -> str:
    """A Debian mirror: the variable's, the host's, or Debian's own. Raises MissingTool."""
    chosen = os.environ.get(MIRROR_VARIABLE, "").strip()
    if chosen:
        return chosen
    for uri, release, component, origin in _host_sources():
        is_main = component == "main" and "-" not in release
        if is_main and (origin == "Debian" or uri.rstrip("/").endswith("/debian")):
            return uri
    known = re.search(r"^BaseURI:\s*(\S+/debian/?)\s*$", _mirror_list(), re.MULTILINE)
    if known is not None:
        return known[1]
    raise MissingTool(
        "the Lab PE needs a Debian mirror, but this machine's apt sources do not name one",
        hint="Install debian-archive-keyring and python-apt-common,"
        f" or set {MIRROR_VARIABLE} to the address of a mirror.",
    )


def _mirror_list() -> str:
    return MIRROR_LIST.read_text(encoding="utf-8") if MIRROR_LIST.exists() else ""


def _host_sources() -> list[tuple[str, str, str, str]]:
    """(address, release, component, origin) of the host's package sources."""
    tool = require_tool("apt-get", package="apt")
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    done = subprocess.run(
        [tool, "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
        env=_plain_environment(),
    )
    rows = (line.split("|") for line in done.stdout.splitlines())
    return [(row[0], row[1], row[2], row[3]) for row in rows if len(row) == 4]


def _plain_environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
