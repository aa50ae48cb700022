"""Copies what the console's pages are made of out of node_modules into the repository.

    npm ci --ignore-scripts && python scripts/vendor.py          writes web/static/vendor
    python scripts/vendor.py --check                             compares, writes nothing

The result is committed: running the site needs no Node and no network. `manifest.json`
names each file's package, version and SHA-256; the licences lie beside the files.

htmx and its SSE extension become one file on purpose: htmx 4 initialises itself in a
timer as soon as the document is interactive, so an extension in a second deferred script
is sometimes registered too late and the page never opens its live stream.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "web" / "static" / "vendor"
TEST_VENDOR = ROOT / "tests" / "web" / "vendor"

# Output file: the files it is made of, in order.
BUNDLES = {
    "tabler.css": ("@tabler/core/dist/css/tabler.min.css",),
    "tabler.js": ("@tabler/core/dist/js/tabler.min.js",),
    "htmx.js": ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js"),
    "uplot.css": ("uplot/dist/uPlot.min.css",),
    "uplot.js": ("uplot/dist/uPlot.iife.min.js",),
    "tus.js": ("tus-js-client/dist/tus.min.js",),
}
TEST_BUNDLES = {"axe.js": ("axe-core/axe.min.js",)}
LICENCES = {
    "tabler-icons.txt": "@tabler/icons/LICENSE",
    "htmx.txt": "htmx.org/LICENSE",
    "uplot.txt": "uplot/LICENSE",
    "tus-js-client.txt": "tus-js-client/LICENSE",
    "popper.txt": "@popperjs/core/LICENSE.md",
}
TEST_LICENCES = {"axe-core.txt": "axe-core/LICENSE"}

# @tabler/core carries no licence file: its package.json and banner say MIT.
TABLER_LICENCE = """Tabler (https://tabler.io) contains Bootstrap (https://getbootstrap.com).

MIT License

Copyright (c) 2018-2026 The Tabler Authors
Copyright (c) 2011-2026 The Bootstrap Authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

ICONS = (
    "activity",
    "alert-circle",
    "alert-triangle",
    "arrow-back-up",
    "arrow-left",
    "arrow-right",
    "brand-windows",
    "chart-line",
    "check",
    "chevron-right",
    "circle",
    "circle-check",
    "circle-dashed",
    "circle-x",
    "clock",
    "cloud-upload",
    "copy",
    "cpu",
    "database",
    "device-desktop",
    "device-floppy",
    "devices",
    "disc",
    "dots-vertical",
    "file-diff",
    "file-zip",
    "flask",
    "folder",
    "hammer",
    "history",
    "home",
    "info-circle",
    "key",
    "keyboard",
    "layout-dashboard",
    "list-check",
    "loader-2",
    "lock",
    "login",
    "logout",
    "menu-2",
    "moon",
    "network",
    "pencil",
    "photo",
    "player-play",
    "player-stop",
    "plug-connected",
    "plus",
    "power",
    "puzzle",
    "refresh",
    "report-search",
    "rocket",
    "search",
    "send",
    "server",
    "server-2",
    "settings",
    "shield-check",
    "star",
    "stethoscope",
    "sun",
    "sun-moon",
    "terminal-2",
    "trash",
    "upload",
    "user",
    "users",
    "versions",
    "webhook",
    "wifi-off",
    "world-upload",
    "x",
)

SOURCE_MAP = re.compile(rb"(?://# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$")


def package_of(path: str) -> str:
    """The npm package that a file belongs to."""
    parts = path.split("/")
    return "/".join(parts[:2]) if path.startswith("@") else parts[0]


def joined(sources: tuple[str, ...]) -> bytes:
    """The bytes of a bundle: its parts without their source map lines."""
    parts = [SOURCE_MAP.sub(b"", (MODULES / source).read_bytes()).rstrip() for source in sources]
    return b";\n".join(parts) + b"\n" if len(parts) > 1 else parts[0] + b"\n"


def icon_sprite() -> bytes:
    """One SVG whose symbols are the icons that the pages use."""
    symbols = []
    for name in ICONS:
        text = (MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text("utf-8")
        shapes = re.findall(r"<(?:path|circle|rect|line)[^>]*/>", text)
        visible = "".join(shape for shape in shapes if 'stroke="none"' not in shape)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{visible}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'.encode()


def wanted(bundles: dict[str, tuple[str, ...]], licences: dict[str, str]) -> dict[str, bytes]:
    """What a vendor folder must hold: file name to bytes, without the manifest."""
    files = {name: joined(sources) for name, sources in bundles.items()}
    for name, source in licences.items():
        files[f"licenses/{name}"] = (MODULES / source).read_bytes()
    return files


def manifest(files: dict[str, bytes], bundles: dict[str, tuple[str, ...]]) -> bytes:
    """The table of contents: where each file came from and its hash."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    entries = {}
    for name, content in sorted(files.items()):
        packages = dict.fromkeys(package_of(source) for source in bundles.get(name, ()))
        if name == "icons.svg":
            packages = {"@tabler/icons": None}
        entries[name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "from": [f"{p}@{lock[f'node_modules/{p}']['version']}" for p in packages],
        }
    return (json.dumps(entries, indent=2) + "\n").encode()


def folders() -> dict[Path, dict[str, bytes]]:
    """All vendor folders with all their files."""
    console = wanted(BUNDLES, LICENCES)
    console["icons.svg"] = icon_sprite()
    console["licenses/tabler.txt"] = TABLER_LICENCE.encode()
    console["manifest.json"] = manifest(console, BUNDLES)
    tests = wanted(TEST_BUNDLES, TEST_LICENCES)
    tests["manifest.json"] = manifest(tests, TEST_BUNDLES)
    return {VENDOR: console, TEST_VENDOR: tests}


def check() -> int:
    """Compare the committed files with what npm's would give; 1 when they differ."""
    differing = [
        str((folder / name).relative_to(ROOT))
        for folder, files in folders().items()
        for name, content in files.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]
    for name in differing:
        print(f"differs: {name}")
    return 1 if differing else 0


def write() -> int:
    """Write the vendor folders anew."""
    for folder, files in folders().items():
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        total = sum(len(content) for content in files.values())
        print(f"{folder.relative_to(ROOT)}: {len(files)} files, {total // 1024} KiB")
    return 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    if not MODULES.is_dir():
        print("node_modules is missing: run `npm ci --ignore-scripts` first")
        return 2
    return check() if arguments.check else write()


if __name__ == "__main__":
    sys.exit(main())
