"""The console under gunicorn: one process, a thread for each request, a bounded stop.

Each live page holds a thread, so there are more threads than streams. Nothing of the site is
opened before the fork: the worker opens it anew.
"""

import errno
import gc
import socket
import sys
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from netboot.errors import NotPermitted, PortTaken
from netboot.operations.drivers.index import index_now
from netboot.serve.port_holder import who_holds
from netboot.site import Site
from netboot.tls import certificate_of
from web.app import create_app
from web.live.follower import Follower
from web.live.streams import STREAMS, Streams
from web.show.presentation import load_templates

SPARE_THREADS = 60
SECONDS_TO_STOP = 10
SWITCH_SECONDS = 0.001
"""How long a thread goes on while others wait; pages give way at each look into the database."""

GARBAGE = (20_000, 20, 20)
"""When to look for cycles: pages leave few, and what is kept for them is much to look through."""


class ConsoleServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, told by arguments and not by a file."""

    def __init__(self, site: Site, address: str, port: int) -> None:
        self._data = site.data
        self._tls = certificate_of(site)
        self._bind = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._app: Any = None
        super().__init__()

    def load_config(self) -> None:
        """One worker with many threads; no files beside it."""
        settings: dict[str, Any] = {
            "bind": [self._bind],
            "workers": 1,
            "worker_class": "gthread",
            "threads": STREAMS + SPARE_THREADS,
            "timeout": 60,
            "graceful_timeout": SECONDS_TO_STOP,
            "keepalive": 5,
            "forwarded_allow_ips": "",  # whoever sends headers about TLS is not believed
            "control_socket_disable": True,  # it would write to $HOME
            "worker_tmp_dir": "/dev/shm",  # noqa: S108  # the heartbeat must not wait for a disk
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "limit_request_field_size": 8190,
            "proc_name": "netboot-web",
            "accesslog": None,
            "loglevel": "warning",
            "post_worker_init": self._end_streams_with,
        }
        if self._tls is not None:
            settings |= {"certfile": str(self._tls.certificate), "keyfile": str(self._tls.key)}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, made in the worker."""
        site = Site.open(self._data)
        self._app = create_app(site)
        Follower(site).start()
        load_templates(self._app)
        index_now(site)  # or the first page would wait for it
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()  # what is here now stays
        gc.set_threshold(*GARBAGE)
        return self._app

    def _end_streams_with(self, worker: ThreadWorker) -> None:
        """Let live pages end by themselves when the worker stops; they open again elsewhere."""
        streams: Streams = self._app.extensions["netboot_streams"]
        streams.going_on = lambda: bool(worker.alive)


def serve_web(site: Site, address: str, port: int) -> None:
    """Serve the console until a signal says stop; ends the process. Raises PortTaken."""
    _require_free(address, port)
    ConsoleServer(site, address, port).run()


def _require_free(address: str, port: int) -> None:
    """Unlike gunicorn, which would try five times and then tell of errno 98."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"TCP port {port} of {address} is taken by {who_holds(port, protocol='tcp')}",
                    hint="Stop that program, or choose another port: `NETBOOT_WEB_PORT=8090`.",
                ) from fault
            raise NotPermitted(
                f"the page cannot open TCP port {port} of {address}: {fault.strerror}",
                hint="Set web_address to an address of this machine, web_port to one above 1023.",
            ) from fault
