"""The boot port's process: an answer, a port, and a clean end on SIGTERM."""

import gc
import signal
from collections.abc import Callable

from netboot.serve.http.httpd import HttpServer
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Answer
from netboot.serve.udp import Loop


def serve_http(
    answer: Answer,
    *,
    port: int,
    address: str | None = None,
    limits: HttpLimits | None = None,
    reuse_port: bool = False,
    ready: Callable[[Loop, HttpServer], None] | None = None,
    prefer: Callable[[Loop], Callable[[str], bool]] = lambda _loop: lambda _ip: False,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the responses being sent.

    For several processes on one port: run this in `Workers`, with `reuse_port` and the limits'
    share. `ready` is called with loop and server once the port is open, and may have it listen on
    more addresses; `prefer` before, for a function that says which addresses get the last places.
    Raises PortTaken, NotPermitted or InvalidInput.
    """
    loop = Loop()
    server = HttpServer(
        loop=loop,
        address=address,
        port=port,
        answer=answer,
        limits=limits,
        reuse_port=reuse_port,
        is_preferred=prefer(loop),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.soon(lambda _: server.drain(loop.stop)))
    if ready is not None:
        ready(loop, server)
    gc.freeze()  # all objects so far are permanent: the collector need not scan them
    loop.run()
    server.close()
    loop.close()
