"""The console under gunicorn: a few processes, a thread for each request, a limited time to stop.

Each live page holds a thread, and all pages may be on one process, so every process may have more
threads than there are streams. Nothing of the site is opened before the fork. gunicorn restarts a
process that dies, and its pages reconnect.
"""

import errno
import hashlib
import os
import shutil
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]
from prometheus_client.multiprocess import mark_process_dead
from sqlalchemy.orm import configure_mappers

from netboot.daemons.starting.service_manager import service_manager
from netboot.errors import NotPermitted, PortTaken
from netboot.serve.port_holder import who_holds
from netboot.site import Site
from netboot.tls import certificate_of
from web.app import create_app
from web.compiled_templates import keep_compiled
from web.live.streams import STREAMS, Streams
from web.pages.site.metrics import share_measurements

SPARE_THREADS = 60
STREAM_PATH = "/live"
SECONDS_TO_STOP = 10
MEMORY = Path("/dev/shm")  # noqa: S108  # only folders that are created here are used


class AtWork:
    """The requests that a process works on, streams aside; it spreads them over the processes.

    All processes accept from one socket, and the idle one is first. But a connection stays with its
    process, so many may pile up on one. While a process works on several requests, it therefore
    ends their connections with the answers (RFC 9112, 9.6), and the next request finds the idle
    process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0

    def begin(self, _worker: object, request: Any) -> None:
        """A request has come (gunicorn's hook)."""
        if request.path == STREAM_PATH:
            return
        with self._lock:
            self._requests += 1
            if self._requests > 1:
                request.force_close()

    def end(self, _worker: object, request: Any, _environ: object, _response: object) -> None:
        """It is answered, or its client is gone (gunicorn's hook)."""
        if request.path != STREAM_PATH:
            with self._lock:
                self._requests -= 1


class ToldArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's parent process, which tells the service manager of itself and its processes."""

    def __init__(self, app: "ConsoleServer") -> None:
        self._first_ready = app.first_ready
        self._status = app.status
        super().__init__(app)

    def manage_workers(self) -> None:
        """Called each second."""
        super().manage_workers()
        manager = service_manager()
        manager.alive()
        with suppress(BlockingIOError):
            os.eventfd_read(self._first_ready)
            manager.ready(self._status)


class ConsoleServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by arguments instead of a file."""

    def __init__(self, site: Site, address: str, port: int) -> None:
        self._data = site.data
        self._processes = site.settings.web_processes
        self._tls = certificate_of(site)
        self._bind = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._measurements = _folder_of_measurements(site)
        self.first_ready = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.status = f"serves the page on {self._bind}"
        self._app: Any = None
        self._at_work = AtWork()
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": [self._bind],
            "workers": self._processes,
            "worker_class": "gthread",
            "threads": STREAMS + SPARE_THREADS,
            "timeout": 60,
            "graceful_timeout": SECONDS_TO_STOP,
            "keepalive": 5,
            "forwarded_allow_ips": "",  # any client could send headers about TLS
            "control_socket_disable": True,  # it would write to $HOME
            "worker_tmp_dir": str(MEMORY),  # the heartbeat must not wait for a disk
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "limit_request_field_size": 8190,
            "proc_name": "netboot-web",
            "accesslog": None,
            "loglevel": "warning",
            "post_worker_init": self._worker_is_ready,
            "pre_request": self._at_work.begin,
            "post_request": self._at_work.end,
            "child_exit": self._forget_process,
            "on_exit": self._remove_measurements,
        }
        if self._tls is not None:
            settings |= {"certfile": str(self._tls.certificate), "keyfile": str(self._tls.key)}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        share_measurements(self._measurements)
        site = Site.open(self._data)
        self._app = create_app(site)
        keep_compiled(self._app, site.web_folder / "templates")
        _prepare(self._app)
        return self._app

    def run(self) -> None:
        service_manager()  # gunicorn would say that it is ready before a page can be served
        ToldArbiter(self).run()

    def _worker_is_ready(self, worker: ThreadWorker) -> None:
        """Let the parent know, and end live pages when this process stops: they reconnect."""
        os.eventfd_write(self.first_ready, 1)
        streams: Streams = self._app.extensions["netboot_streams"]
        streams.going_on = lambda: bool(worker.alive)

    def _remove_measurements(self, _server: object) -> None:
        shutil.rmtree(self._measurements, ignore_errors=True)

    def _forget_process(self, _server: object, worker: ThreadWorker) -> None:
        """Stop counting the streams of a process that has ended; its answers still count."""
        mark_process_dead(worker.pid, str(self._measurements))  # type: ignore[no-untyped-call]


def _prepare(app: Flask) -> None:
    """Compile what the first views of a process would otherwise wait for.

    That would be a second in all on a new site, a page at a time, and its garbage would soon make
    Python collect the whole heap, which stops every request of the process.
    """
    configure_mappers()
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)


def _folder_of_measurements(site: Site) -> Path:
    """An empty folder in memory, which belongs to this site.

    The processes map these files, and a write to a mapped file on a full disk kills the process
    with SIGBUS (mmap(2)).
    """
    own = hashlib.sha256(os.fsencode(site.data)).hexdigest()[:16]
    link = site.web_folder / "measurements"
    for folder in (MEMORY / f"netboot-{os.geteuid()}-{own}", link):
        if link.is_symlink():
            link.unlink()
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run
        try:
            folder.mkdir(mode=0o700)
        except OSError:
            continue  # no such file system, or a folder of another user
        if folder != link:
            shutil.rmtree(link, ignore_errors=True)
            with suppress(OSError):  # for people only; a full disk may refuse it
                link.symlink_to(folder)
        return folder
    raise NotPermitted(
        f"{site.web_folder} cannot be written", hint="Check the disk and the owner of the folder."
    )


def serve_web(site: Site, address: str, port: int) -> None:
    """Serve the console until a signal, then end the process. Raises PortTaken, NotPermitted."""
    _require_free(address, port)
    ConsoleServer(site, address, port).run()


def _require_free(address: str, port: int) -> None:
    """Name the program that uses the port; gunicorn tries five times and reports errno 98."""
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
                f"the console cannot open TCP port {port} of {address}: {fault.strerror}",
                hint="Set web_address to an address of this server, web_port to one above 1023.",
            ) from fault
