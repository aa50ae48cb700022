"""`netboot lab`: waits for test machines on a site that serves a real network.

It listens at the site's lab socket and is small. The first request starts a lab (vm.lab) with boot
services of its own, in a private network; requests and answers go through to it. When no machine
was asked for during IDLE_SECONDS, the lab ends. The real network is never touched.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netboot.daemons.starting.own_service import own_service
from netboot.daemons.starting.service_manager import service_manager
from netboot.daemons.supervisor import PARENT
from netboot.errors import MissingTool, NotPermitted, OperatorFault
from netboot.operations.extras import TEST_MACHINES, missing_for
from netboot.operations.processes import BOARD, OwnReport
from netboot.site import LAB_FOLDER, Site
from vm.door.server import READY, SOCKET_NAME, asks_status, listen
from vm.network.lab_network import SERVER_ADDRESS, require_private_network
from vm.tools import refuse

IDLE_SECONDS = 300.0
START_SECONDS = 120.0
STOP_SECONDS = 20.0
STATUS_KEPT_SECONDS = 30.0
REQUEST_SECONDS = 10.0
LINES_KEPT = 20

NEEDED = ("qemu-system-x86", "dnsmasq-base", "iproute2")
"""Without these no machine boots; each of the others is needed by some kinds of machine."""


def require_lab() -> None:
    """Raises MissingTool or NotPermitted if no test machine can be booted here."""
    lacking = [one for one in missing_for(TEST_MACHINES) if one in NEEDED]
    if lacking:
        raise MissingTool(
            f"test machines need {', '.join(lacking)}, which "
            f"{'is' if len(lacking) == 1 else 'are'} not installed",
            hint=f"Run `apt-get install {' '.join(lacking)}`.",
        )
    require_private_network()


class Standby:
    """The lab of a site: started for the first request, ended when nobody needs it."""

    def __init__(self, site: Site, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._site = site
        self._idle_seconds = idle_seconds
        self._folder = site.data / LAB_FOLDER
        self._inner = self._folder / SOCKET_NAME
        self._lab: Process | None = None
        self._starting = asyncio.Lock()
        self._users = 0
        self._output: asyncio.Future[Any] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._words: deque[str] = deque(maxlen=LINES_KEPT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: tuple[float, dict[str, object]] = (-STATUS_KEPT_SECONDS, {})

    async def serve(self, ending: asyncio.Event, ready: Callable[[], None]) -> None:
        """Call `ready`, then answer requests until `ending`.

        Raises SiteAlreadyRunning, InvalidInput.
        """
        listener = listen(self._site.data / SOCKET_NAME)
        server = await asyncio.start_unix_server(self._client, sock=listener)
        try:
            ready()
            await ending.wait()
        finally:
            (self._site.data / SOCKET_NAME).unlink(missing_ok=True)
            server.close()
            tasks = (*self._tasks,)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stop()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_SECONDS)
            if asks_status(line):
                _tell(writer, await self._status())
            elif line:
                await self._pass_on(line, reader, writer)
        except (OSError, ValueError, TimeoutError):
            pass  # the client has gone, or asks for nothing
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _status(self) -> dict[str, object]:
        """Whether machines can be booted here; looked up again after a while."""
        at, known = self._known
        if time.monotonic() - at >= STATUS_KEPT_SECONDS:
            known = {"event": "done", "beside": True}
            try:
                await asyncio.to_thread(require_lab)
            except OperatorFault as fault:
                known |= {"reason": str(fault), "hint": fault.hint}
            self._known = time.monotonic(), known
        return known

    async def _pass_on(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry a request to the lab and its answers back, until either side hangs up."""
        self._users += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            await self._ready(writer)
            from_lab, to_lab = await asyncio.open_unix_connection(str(self._inner))
            try:
                to_lab.write(line)
                ways = {
                    asyncio.ensure_future(_pump(from_lab, writer)),
                    asyncio.ensure_future(_pump(reader, to_lab)),
                }
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
            finally:
                to_lab.close()
        except OperatorFault as fault:
            _tell(writer, {"event": "failed", "reason": str(fault), "hint": fault.hint})
        finally:
            self._users -= 1
            if not self._users:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(self._idle_seconds, self._end_if_idle)

    async def _ready(self, writer: asyncio.StreamWriter) -> None:
        """Start the lab if it does not run. Raises OperatorFault."""
        if self._starting.locked() or not self._runs():
            _tell(writer, {"event": "making a private network"})
        async with self._starting:
            if not self._runs():
                await asyncio.to_thread(require_lab)
                await self._start()

    def _runs(self) -> bool:
        return self._lab is not None and self._lab.returncode is None

    async def _start(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._words.clear()
        environment = {key: text for key, text in os.environ.items() if key != BOARD}
        self._lab = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=environment | {PARENT: str(os.getpid())},
        )
        ready = asyncio.Event()
        self._output = asyncio.gather(
            self._read(self._lab.stdout, ready), self._read(self._lab.stderr, ready)
        )
        waits = asyncio.ensure_future(ready.wait())
        first: set[asyncio.Future[Any]] = {self._output, waits}
        await asyncio.wait(first, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        if not ready.is_set():
            await self._stop()
            raise self._refusal()

    def _command(self) -> list[str]:
        netboot = [sys.executable, "-m", "netboot", "--data", str(self._site.data)]
        own = ["--in-lab", "--address", SERVER_ADDRESS]
        lab = [sys.executable, "-m", "vm.lab", "run", "--data", str(self._site.data)]
        lab += ["--socket", str(self._inner)]
        lab += ["--boot-command", json.dumps([*netboot, "boot", "--interface", "eth0", *own])]
        return [*lab, "--http-command", json.dumps([*netboot, "http", *own])]

    async def _read(self, stream: asyncio.StreamReader | None, ready: asyncio.Event) -> None:
        """Pass the lab's lines on to the log, and keep the last ones."""
        assert stream is not None
        while line := (await stream.readline()).decode(errors="replace").rstrip():
            if line == READY:
                ready.set()
                continue
            self._words.append(line)
            with contextlib.suppress(OSError):
                print(line, file=sys.stderr, flush=True)

    def _refusal(self) -> OperatorFault:
        """Why the lab did not start, in its own words: a message, and its hint in the next line."""
        words = list(self._words)
        for place, line in enumerate(words):
            mark, _, message = line.partition(": ")
            if mark in {"error", "netboot"}:
                hint = words[place + 1] if place + 1 < len(words) else ""
                hint = hint.strip().removeprefix("-> ") if "->" in hint else ""
                return NotPermitted(f"the lab cannot start: {message}", hint=hint)
        last = f" ({words[-1]})" if words else ""
        return OperatorFault(
            f"the lab did not start{last}", hint="Try again; see the log of the lab."
        )

    def _end_if_idle(self) -> None:
        task = asyncio.ensure_future(self._end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        async with self._starting:  # the next lab starts when this one has ended
            if not self._users:
                await self._stop()

    async def _stop(self) -> None:
        lab, self._lab = self._lab, None
        if lab is None or lab.returncode is not None:
            return
        lab.terminate()
        try:
            await asyncio.wait_for(lab.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                lab.kill()  # its children die with it


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await source.read(1 << 16):
            target.write(part)
            await target.drain()


def _tell(writer: asyncio.StreamWriter, event: dict[str, object]) -> None:
    writer.write(json.dumps(event).encode() + b"\n")


async def _run(site: Site) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    manager = service_manager()

    def alive() -> None:
        manager.alive()
        loop.call_later(manager.alive_seconds, alive)

    def ready() -> None:
        OwnReport("lab").ready()
        manager.ready("waits for test machines")
        if manager.alive_seconds:
            alive()

    await Standby(site).serve(ending, ready)


def main(arguments: list[str]) -> int:
    """Wait until a signal. Exit code 1 for what may be mended later: the site runs without it."""
    parser = argparse.ArgumentParser(prog="netboot lab", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the site's data folder")
    chosen = parser.parse_args(arguments)
    try:
        with own_service(chosen.data, "lab") as site:
            asyncio.run(_run(site))
    except OperatorFault as fault:
        refuse(fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
