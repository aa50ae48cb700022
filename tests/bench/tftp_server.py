"""Our TFTP server as the benchmark runs it: the product's server, its limits, its open blobs.

`python -m tests.bench.tftp_server ADDRESS FOLDER` serves the files of a folder by their names.
"""

import gc
import signal
import sys
from pathlib import Path

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import Event, TransferFailed
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from netboot.store.content.open_content import ContentCache


def main() -> None:
    """Serve until SIGTERM."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    refs: dict[bytes, ContentRef] = {}

    def resolve(name: bytes, _: str) -> ContentRef | Refusal:
        if name not in refs:
            path = folder / name.decode()
            if not path.is_file():
                return Refusal("no such file")
            refs[name] = ContentRef(path.name, path.name, path.stat().st_size)
        return refs[name]

    cache = ContentCache(folder.joinpath)
    loop = Loop()
    server = TftpServer(
        loop=loop,
        address=address,
        resolve=resolve,
        open_content=cache.open,
        emit=complain,
    )
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    gc.freeze()
    loop.run()
    print(server.counters)
    server.close()


def complain(event: Event) -> None:
    """Failures are of interest, the rest is the journal's."""
    if isinstance(event, TransferFailed):
        print(event, flush=True)


if __name__ == "__main__":
    main()
