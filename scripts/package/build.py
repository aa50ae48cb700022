"""Builds netboot_VERSION_amd64.deb: a locked Python environment below /usr/lib/netboot.

    python scripts/package/build.py [OUTPUT-FOLDER]

The environment holds the packages for each Python of VERSIONS side by side: one file serves Debian
12 (3.11), Ubuntu 24.04 (3.12) and Debian 13 (3.13). What is the same for all of them is there once.
Nothing is fetched when the package is installed.
"""

import filecmp
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from email.parser import HeaderParser
from pathlib import Path

import manual
import settings

from netboot import __version__
from netboot.operations.extras import EXTRAS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
HOME = Path("usr/lib/netboot")
VERSIONS = ("3.11", "3.12", "3.13")
PLATFORM = "x86_64-manylinux_2_28"
SOURCES = ("netboot", "web", "vm")

# Newer releases have other names for some; apt takes the first that there is.
ALTERNATIVES = {
    "libhivex0": "libhivex0 | libhivex0t64",
    "p7zip-full": "7zip | p7zip-full",
}
NEEDED = ("wimtools", "libhivex0", "libseccomp2", "ipxe")
"""Without these no image can be imported, or no machine boots."""

UNITS = ("site", "boot", "http", "web", "projector", "worker", "lab")


def main(arguments: list[str]) -> None:
    out = Path(arguments[0] if arguments else ROOT / "build").resolve()
    out.mkdir(parents=True, exist_ok=True)
    if not UV.exists():
        sys.exit("Run scripts/setup test first.")
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time())
    with tempfile.TemporaryDirectory(prefix="netboot-package-", dir=out) as scratch:
        tree = Path(scratch) / "tree"
        fill_environment(tree / HOME, Path(scratch))
        fill_system(tree)
        fill_papers(tree)
        fill_control(tree)
        set_modes(tree)
        deb = out / f"netboot_{__version__}_amd64.deb"
        _run("dpkg-deb", "--root-owner-group", "-Zzstd", "--build", tree, deb)
    print(deb)


def commit_time() -> str:
    """The same sources make the same package."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or str(int(time.time()))


# --- the environment ------------------------------------------------------------------------


def fill_environment(home: Path, scratch: Path) -> None:
    """A virtual environment by hand: no file in it knows its own path, so it can be built here."""
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").symlink_to("/usr/bin/python3")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    lock = scratch / "requirements.lock"
    lock.write_text(locked())
    for version in VERSIONS:
        _run(
            *(UV, "pip", "install", "-q", "--target", _site(home, version), "--link-mode", "copy"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", lock),
            *("--python-version", version, "--python-platform", PLATFORM),
        )
        for name in ("bin", ".lock"):
            _remove(_site(home, version) / name)
    common = home / "lib" / "common"
    common.mkdir()
    share(common, [_site(home, version) for version in VERSIONS])
    for source in SOURCES:
        shutil.copytree(
            ROOT / source, common / source, ignore=shutil.ignore_patterns("__pycache__")
        )
    fill_help(common / "web")
    compile_bytecode(home)


def fill_help(web: Path) -> None:
    """The pages of Help next to the code that serves them; Sphinx itself stays here."""
    _run(sys.executable, ROOT / "scripts" / "help" / "build.py", web / "help")


def locked() -> str:
    """What `make run` installs, and the driver of PostgreSQL, which nobody could add later."""
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"^(?=\w)", (ROOT / "requirements-test.lock").read_text(), flags=re.MULTILINE)
    return text + "".join(block for block in blocks if block.startswith("psycopg"))


def _site(home: Path, version: str) -> Path:
    return home / "lib" / f"python{version}" / "site-packages"


def share(common: Path, sites: list[Path]) -> None:
    """Move what is the same in all folders to `common`, which each of them then names."""
    first, *others = sites
    for path in sorted(first.iterdir()):
        if all(same(path, other / path.name) for other in others):
            path.rename(common / path.name)
            for other in others:
                _remove(other / path.name)
    for site in sites:
        (site / "common.pth").write_text("../../common\n")


def same(one: Path, other: Path) -> bool:
    """Whether two files or folders have the same content."""
    if one.is_dir() and other.is_dir():
        names = {path.name for path in one.iterdir()}
        return names == {path.name for path in other.iterdir()} and all(
            same(one / name, other / name) for name in names
        )
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def compile_bytecode(home: Path) -> None:
    """For this machine's Python; the package makes it for others when it is installed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in VERSIONS:
        return
    tree = home.parents[len(HOME.parts) - 1]
    _run(
        *(sys.executable, "-m", "compileall", "-q", "-j", "0"),
        *("--invalidation-mode", "unchecked-hash", "-s", tree, "-p", "/"),
        *(home / "lib" / "common", _site(home, version)),
    )
    (home / "bytecode").mkdir()
    (home / "bytecode" / str(sys.implementation.cache_tag)).touch()


# --- the system's files -----------------------------------------------------------------------


def fill_system(tree: Path) -> None:
    """Command, units, user, settings, completion."""
    _put(tree / "usr/bin/netboot", (HERE / "launcher").read_text(), mode=0o755)
    _put(tree / "usr/lib/sysusers.d/netboot.conf", (HERE / "sysusers.conf").read_text())
    _put(tree / "etc/netboot/netboot.toml", settings.text())
    write_units(tree / "lib/systemd/system")
    shells = {
        "bash": "usr/share/bash-completion/completions/netboot",
        "zsh": "usr/share/zsh/vendor-completions/_netboot",
        "fish": "usr/share/fish/vendor_completions.d/netboot.fish",
    }
    for shell, place in shells.items():
        done = _run(sys.executable, "-m", "netboot", "completion", shell)
        _put(tree / place, done)


def write_units(folder: Path) -> None:
    """The units, with what they have in common written into each."""
    units = HERE / "units"
    parts = {f"@{name.upper()}@": _settings_of(units / f"{name}.conf") for name in PARTS}
    for unit in UNITS:
        text = (units / f"netboot-{unit}.service").read_text()
        for mark, part in parts.items():
            text = text.replace(mark, part)
        _put(folder / f"netboot-{unit}.service", text)
    _put(folder / "netboot.target", (units / "netboot.target").read_text())


PARTS = ("common", "service")


def _settings_of(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))


# --- papers ---------------------------------------------------------------------------------


def fill_papers(tree: Path) -> None:
    """Man pages, changelog, copyright."""
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    pages = tree / "usr/share/man/man1"
    manual.write_pages(pages, date)
    for page in sorted(pages.iterdir()):
        _compress(page, page.read_bytes())
        page.unlink()
    papers = tree / "usr/share/doc/netboot"
    papers.mkdir(parents=True)
    _compress(papers / "changelog", (ROOT / "CHANGELOG.md").read_bytes())
    for name in ("README.md", "SECURITY.md"):
        shutil.copy(ROOT / name, papers / name)
    _put(papers / "copyright", copyright_text(tree / HOME))


def copyright_text(home: Path) -> str:
    """Our licence, and that of each package inside, as the package itself declares it."""
    rows = []
    for path in sorted(home.glob("lib/**/*.dist-info/METADATA")):
        found = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
        licence = found.get("License-Expression") or found.get("License") or ""
        if not licence or "\n" in licence or len(licence) > 60:
            named = [one.rpartition(" :: ")[2] for one in found.get_all("Classifier", [])
                     if one.startswith("License ::")]  # fmt: skip
            licence = ", ".join(named) or "see its files"
        rows.append(f"  {found['Name']} {found['Version']}: {licence}")
    return "\n".join(
        [
            "netboot",
            "",
            (ROOT / "LICENSE").read_text().rstrip(),
            "",
            "The folder /usr/lib/netboot/lib holds these Python packages, with their licences in",
            "their .dist-info folders (scapy runs in a process of its own):",
            "",
            *dict.fromkeys(rows),
            "",
            "The licences of the page's libraries are in",
            "/usr/lib/netboot/lib/common/web/static/vendor/licenses, those of Help in",
            "/usr/lib/netboot/lib/common/web/help/_static/licenses.",
            "",
        ]
    )


# --- control --------------------------------------------------------------------------------


def relations() -> dict[str, list[str]]:
    """Depends, Recommends and Suggests: what the extras need, as the product itself knows it."""
    named = list(dict.fromkeys(package for extra in EXTRAS for package, _ in extra.packages))
    oldest, newest = VERSIONS[0], int(VERSIONS[-1].partition(".")[2])
    python = [f"python3 (>= {oldest})", f"python3 (<< 3.{newest + 1})"]
    system = ["libc6 (>= 2.28)", "libgcc-s1", "debconf (>= 0.5) | debconf-2.0", "systemd (>= 252)"]
    return {
        "Depends": [*python, *system, *(ALTERNATIVES.get(one, one) for one in NEEDED)],
        # Webhooks and single sign-on check certificates.
        "Recommends": [
            "ca-certificates",
            *(ALTERNATIVES.get(n, n) for n in named if n not in NEEDED),
        ],
        "Suggests": ["postgresql"],
    }


def fill_control(tree: Path) -> None:
    control = tree / "DEBIAN"
    control.mkdir()
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file())
    lines = [
        "Package: netboot",
        f"Version: {__version__}",
        "Section: admin",
        "Priority: optional",
        "Architecture: amd64",
        "Maintainer: The netboot authors <netboot@localhost>",
        f"Installed-Size: {size // 1024}",
        *(f"{field}: {', '.join(names)}" for field, names in relations().items()),
        "Description: network-boot server for Windows PE",
        " Boots Windows PE over the network on BIOS and UEFI machines, next to the DHCP server",
        " that is there. Holds boot images and a catalog of drivers, builds versions of images",
        " with the drivers that known machines need, and publishes and rolls them back.",
    ]
    _put(control / "control", "\n".join(lines) + "\n")
    _put(control / "conffiles", "/etc/netboot/netboot.toml\n")
    _put(control / "templates", (HERE / "templates").read_text())
    for script in SCRIPTS:
        _put(control / script, (HERE / script).read_text(), mode=0o755)
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        f"  {path.relative_to(tree)}"
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not path.is_symlink() and control not in path.parents
    ]
    _put(control / "md5sums", "\n".join(sums) + "\n")


def set_modes(tree: Path) -> None:
    """No file depends on this machine's umask; only programs may be executed."""
    programs = {tree / "usr/bin/netboot", *(tree / "DEBIAN" / n for n in SCRIPTS)}
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)


SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


# --- small things ---------------------------------------------------------------------------


def _run(*command: object) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed with code {done.returncode}")
    return done.stdout


def _put(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _compress(path: Path, data: bytes) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
