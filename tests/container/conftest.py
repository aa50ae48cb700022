"""The container image, built by buildah and started without an engine: `make test-container`."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.built import built_package
from vm.labpe import cache_folder
from vm.labpe.packages import KEYRING, find_mirror

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/debian-of-the-tests"
IMAGE = "localhost/netboot"

# Minutes, and a gigabyte of disk: only where asked for.
collect_ignore_glob = [] if os.environ.get("CONTAINER") else ["test_*.py"]


@dataclass(frozen=True)
class Buildah:
    """buildah with a store of its own. vfs and chroot work wherever root is, without an engine."""

    store: Path

    def command(self, *words):
        places = ("--root", self.store / "root", "--runroot", self.store / "run")
        return ["buildah", *map(str, places), "--storage-driver", "vfs", *map(str, words)]

    def run(self, *words):
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def buildah():
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed (Debian's package buildah)")
    if os.geteuid() != 0:
        pytest.skip("without an engine, buildah's chroot isolation needs root")
    with tempfile.TemporaryDirectory(prefix="netboot-buildah-", dir=cache_folder().parent) as store:
        yield Buildah(Path(store))


@pytest.fixture(scope="session")
def package():
    return built_package()


@pytest.fixture(scope="session")
def image(buildah, package, tmp_path_factory):
    """The image's name. What its base lacks comes from no network: the base of the tests has it."""
    empty = buildah.run("from", "scratch")
    buildah.run("add", empty, debian(wanted(package)), "/")
    buildah.run("commit", "--rm", empty, BASE)
    context = tmp_path_factory.mktemp("context")
    (context / "build").mkdir()
    shutil.copy(package, context / "build")
    for name in ("Containerfile", ".dockerignore"):
        shutil.copy(ROOT / name, context)
    buildah.run(
        *("bud", "--isolation", "chroot", "--pull=never", "--build-arg", f"BASE={BASE}"),
        *("-t", IMAGE, context),
    )
    return IMAGE


def wanted(package):
    """The Debian packages that the image installs: the package's own needs, and its list."""
    depends = subprocess.run(
        ["dpkg-deb", "-f", package, "Depends"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    needed = [re.split(r"[ (|]", one.strip())[0] for one in depends.split(",")]
    lines = (ROOT / "Containerfile").read_text().split('head -n 1)" \\\n')[1].split("&&")[0]
    return sorted({*needed, *re.findall(r"[a-z][\w.+-]+", lines)})


def debian(packages):
    """Debian 12 with these packages as a tar file, made once and kept in the cache."""
    recipe = Path(__file__).read_bytes() + json.dumps(packages).encode()
    folder = cache_folder().parent / "container"
    kept = folder / f"{hashlib.sha256(recipe).hexdigest()[:16]}.tar"
    if not kept.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        part = kept.with_suffix(".part.tar")
        source = f"deb [signed-by={KEYRING}] {find_mirror()} bookworm main"
        command = [
            *("mmdebstrap", "--mode=root", "--variant=apt", "--architectures=amd64", "--quiet"),
            *(f"--include={','.join(packages)}", '--aptopt=APT::Install-Recommends "false"'),
            *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*"),
            # `apt-get update` in the build then asks nobody.
            "--customize-hook=rm -f $1/etc/apt/sources.list $1/etc/apt/sources.list.d/*",
            *("bookworm", part, source),
        ]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        part.rename(kept)
    return kept
