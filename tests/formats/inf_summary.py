"""A readable summary of a parsed INF, for the golden file of the real samples.

`python -m tests.formats.inf_summary` writes the golden file anew; read its diff before you
keep it.
"""

import json
from pathlib import Path

from netboot.formats.inf import Inf, parse

SAMPLES = Path(__file__).parents[1] / "samples" / "inf"
GOLDEN = SAMPLES / "golden.json"


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


if __name__ == "__main__":
    golden = {path.name: summaries(path) for path in samples()}
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
