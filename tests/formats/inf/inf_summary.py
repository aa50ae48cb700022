"""A readable summary of a parsed INF, for the golden files of the real samples.

`python -m tests.formats.inf.inf_summary` writes the golden files anew; read their diff before you
keep them. INFs whose licence keeps them out of this repository have their facts in
`elsewhere.json`; they are checked when NETBOOT_INF_SAMPLES names a folder that holds them
(samples/inf/NOTICE says where they are from).
"""

import json
import os
from collections import Counter
from hashlib import sha256
from pathlib import Path

from netboot.formats.inf.inf import Inf, parse

SAMPLES = Path(__file__).parents[2] / "samples" / "inf"
GOLDEN = SAMPLES / "golden.json"
ELSEWHERE = SAMPLES / "elsewhere.json"
FOLDER = "NETBOOT_INF_SAMPLES"


def stamp(data: bytes, architecture: str) -> bytes:
    """What a vendor's build (stampinf) makes of a template: the architecture filled in."""
    encoding = "utf-16" if data.startswith(b"\xff\xfe") else "latin-1"
    text = data.decode(encoding)
    return text.replace("$ARCH$", architecture).encode(encoding)


def summary(inf: Inf) -> dict:
    """What matters of an INF, as plain values."""
    version = inf.version
    return {
        "encoding": inf.encoding,
        "class": f"{version.class_name} {version.class_guid}",
        "provider": version.provider,
        "driver_ver": f"{version.date} {version.version}".strip(),
        "catalogs": dict(version.catalogs),
        "refusal": inf.refusal,
        "models": [_model(model) for model in inf.models],
        "payloads": {word: _payload(payload) for word, payload in inf.payloads.items()},
        "findings": list(inf.findings),
    }


def _model(model) -> str:
    ids = ", ".join((model.hardware_id, *model.compatible_ids))
    span = f"{model.minimum_build}-{model.maximum_build or ''}"
    service = model.install.function_driver or "no service"
    return f"{model.architecture} {span} {ids} -> {model.install.section} ({service})"


def _payload(payload) -> dict:
    return {
        "files": ["\\".join(filter(None, (file.folder, file.name))) for file in payload.files],
        "other_infs": list(payload.other_infs),
        "copied_infs": list(payload.copied_infs),
        "co_installers": payload.co_installers,
    }


def samples() -> list[Path]:
    """The real INFs and templates."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix.lower() in {".inf", ".inx"})


def summaries(path: Path) -> dict:
    """The summary as it is, and as it would be when built, where it is a template."""
    data = path.read_bytes()
    found = {"as it is": summary(parse(data))}
    if found["as it is"]["refusal"].startswith("not built"):
        found["built for amd64"] = summary(parse(stamp(data, "amd64")))
    return found


def elsewhere() -> dict:
    """Facts of the INFs that are not in this repository, by name."""
    return json.loads(ELSEWHERE.read_text())


def lent(name: str) -> bytes | None:
    """An INF that is not in this repository, where somebody has it; else None."""
    folder = os.environ.get(FOLDER)
    path = Path(folder, name) if folder else None
    return path.read_bytes() if path and path.is_file() else None


def facts(data: bytes) -> dict:
    """What an INF says, counted; `whole` is the digest of the full summary."""
    inf = parse(data)
    whole = json.dumps(summary(inf), sort_keys=True).encode()
    version = inf.version
    return {
        "bytes": f"sha256:{sha256(data).hexdigest()}",
        "encoding": inf.encoding,
        "class": version.class_name,
        "provider": version.provider,
        "driver_ver": f"{version.date} {version.version}".strip(),
        "refusal": inf.refusal,
        "lines": dict(sorted(Counter(model.architecture for model in inf.models).items())),
        "ids": len({one for m in inf.models for one in (m.hardware_id, *m.compatible_ids)}),
        "services": sorted({m.install.function_driver for m in inf.models} - {""}),
        "files": {word: len(payload.files) for word, payload in inf.payloads.items()},
        "findings": list(inf.findings),
        "whole": f"sha256:{sha256(whole).hexdigest()}",
    }


if __name__ == "__main__":
    golden = {path.name: summaries(path) for path in samples()}
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    known = elsewhere()
    found = {name: facts(data) for name in known if (data := lent(name)) is not None}
    ELSEWHERE.write_text(json.dumps({**known, **found}, indent=1, ensure_ascii=False) + "\n")
