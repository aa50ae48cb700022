"""Our boot port as the benchmark runs it: the product's server, answers, limits and open blobs.

`python -m tests.bench.http_server ADDRESS PORT FOLDER` serves a folder's files under /p/.
"""

import sys
from pathlib import Path

from netboot.boot.files.names import ContentRef, Refusal
from netboot.serve.http.boot_app import BootSite, boot_app
from netboot.serve.http.process import serve_http
from netboot.store.content.open_content import ContentCache


def main() -> None:
    """Serve until SIGTERM."""
    address, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    refs: dict[str, ContentRef] = {}

    def resolve_url(path: str, to: str) -> ContentRef | Refusal:
        if path not in refs:
            file = folder / path.rsplit("/", 1)[1]
            if not file.is_file():
                return Refusal("no such file")
            refs[path] = ContentRef(file.name, file.name, file.stat().st_size)
        return refs[path]

    site = BootSite(
        resolve_url=resolve_url,
        open_content=ContentCache(folder.joinpath).open,
        script=lambda query, ip, to: Refusal("no script here"),
        report=lambda token, body, ip: Refusal("no reports here"),
        emit=lambda event: None,
    )
    serve_http(boot_app(site), address=address, port=port)


if __name__ == "__main__":
    main()
