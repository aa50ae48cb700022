"""The lab's socket, where programs of the site request a test machine.

A request is one JSON line; the answer is a JSON line for each event until `done` or `failed`:

    > {"firmware": "uefi-x64", "nic": "e1000", "memory": 512, "id": "17", "image": "Rescue"}
    < {"event": "queued"}                        (only while two machines run already)
    < {"event": "started", "mac": "52:54:..."}
    < {"event": "serial", "line": "LABPE 4.21 DRVLOAD inf=..."}
    < {"event": "screen", "path": "/.../screen.png"}        (every few seconds)
    < {"event": "done", "result": "online", "driver": "e1000.inf", "version": 3, ...}

`{"status": true}` is answered with one `done`: a lab that runs can boot machines.

`image` may be left out: then the machine gets what any machine of its kind gets. The lab also runs
`netboot check` (vm.door.check). A client that hangs up switches its machine off. A client may
connect without a request to see whether the lab is running.
"""

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from netboot.errors import InvalidInput, OperatorFault, SiteAlreadyRunning
from vm.door import check as lab_check
from vm.door.places import Places
from vm.machine.firmware import NICS, FirmwareKind, find_firmware, find_nic
from vm.machine.spec import MachineSpec
from vm.network.lab_network import STATIC_LEASES, LabNetwork, Slot
from vm.testrun import Reports, Tried, try_boot
from vm.verdict import Result

SOCKET_NAME = "lab.sock"
READY = "The lab is ready."
"""The line that says so (vm.lab)."""

MACHINES_AT_ONCE = 2
KEPT_FOLDERS = 20
_REQUEST_LIMIT = 4096
_REQUEST_SECONDS = 10.0
_MEMORY = range(256, 8193)


@dataclass(frozen=True, slots=True)
class Request:
    """The test machine that a program wants."""

    firmware: FirmwareKind
    nic: str
    memory: int
    id: str
    plain_pxe: bool
    image: str = ""

    @staticmethod
    def parse(line: bytes) -> "Request":
        """The request in one JSON line. Raises InvalidInput."""
        try:
            request = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"the request is not a JSON line: {error}") from error
        if not isinstance(request, dict):
            raise InvalidInput("the request is not a JSON object")
        memory = request.get("memory", 512)
        if not isinstance(memory, int) or memory not in _MEMORY:
            raise InvalidInput(
                f"a test machine cannot have {memory!r} MB of memory",
                hint=f"It can have {_MEMORY[0]} to {_MEMORY[-1]} MB.",
            )
        nic = find_nic(str(request.get("nic", "e1000")))
        firmware = find_firmware(str(request.get("firmware", "bios-x64")))
        plain = bool(request.get("plain_pxe", False))
        image, name = str(request.get("image", "")), str(request.get("id", ""))
        return Request(firmware, nic.name, memory, name, plain, image)


def asks_status(line: bytes) -> bool:
    """Whether this request only asks if machines can be booted."""
    try:
        request = json.loads(line)
    except ValueError:
        return False
    return isinstance(request, dict) and request.get("status") is True


Pin = Callable[[Collection[str], str], AbstractContextManager[None]]
"""Inside the context, machines with these MAC addresses get an image, whatever else is set."""


class LabServer:
    """Listens inside the context; switches off the machines that still run at its end.

    It calls `reports` before each boot, for the server's side of the evidence, and `pin` for a
    machine that is to boot a certain image.
    """

    def __init__(
        self,
        network: LabNetwork,
        path: Path,
        *,
        reports: Callable[[], Reports],
        accelerator: Callable[[FirmwareKind], str],
        pin: Pin,
    ) -> None:
        self._pin = pin
        self._network = network
        self._path = path
        self._reports = reports
        self._accelerator = accelerator
        self._places = Places(MACHINES_AT_ONCE)
        self._folders = _Folders(network.work / "machines")
        self._slots = _Slots()
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket
        self._acceptor = threading.Thread(target=self._accept, name="lab door", daemon=True)

    def __enter__(self) -> Self:
        """Raises SiteAlreadyRunning, InvalidInput."""
        self._listener = listen(self._path)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect all clients, which ends their machines, and wait for that."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            clients, threads = list(self._clients), list(self._threads)
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=15.0)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed: the lab ends
            thread = threading.Thread(target=self._serve, args=(client,), name="lab client")
            with self._lock:
                self._clients.add(client)
                self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(_REQUEST_SECONDS)
            line = _read_line(client)
            client.settimeout(None)
            if line:
                self._answer(client, line)
        except OSError:
            pass  # the client has gone
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _answer(self, client: socket.socket, line: bytes) -> None:
        try:
            if asks_status(line):
                self._network.check()
                _tell(client, {"event": "done"})
                return
            words = lab_check.asked_for(line)
            self._network.check()
            if words is not None:
                folder = self._path.parent.resolve()
                lab_check.run_check(
                    self._network, folder, words, lambda event: _tell(client, event)
                )
                return
            request = Request.parse(line)
            with self._places.take(client, lambda: _tell(client, {"event": "queued"})) as place:
                if place:
                    _tell(client, self._boot(client, request))
        except OperatorFault as fault:
            _tell(client, {"event": "failed", "reason": str(fault), "hint": fault.hint})

    def _boot(self, client: socket.socket, request: Request) -> dict[str, Any]:
        reports = self._reports()
        with self._slots.take(request) as slot:
            spec = MachineSpec(
                request.firmware,
                find_nic(request.nic),
                slot,
                memory=request.memory,
                plain_pxe=request.plain_pxe,
            )
            macs = {spec.boot_mac, spec.tested_mac}
            with self._pin(macs, request.image) if request.image else nullcontext():
                _tell(client, {"event": "started", "mac": spec.boot_mac, "id": request.id})
                tried = try_boot(
                    spec,
                    self._network,
                    self._folders.fresh(),
                    reports=reports,
                    accelerator=self._accelerator(request.firmware),
                    on_line=lambda line: _tell(client, {"event": "serial", "line": str(line)}),
                    on_screen=lambda path: _tell(client, {"event": "screen", "path": str(path)}),
                    leash=client,
                )
        return _ended(tried, request)


def _ended(tried: Tried, request: Request) -> dict[str, Any]:
    verdict, run = tried.verdict, tried.run
    common = {
        "id": request.id,
        "mac": tried.spec.boot_mac,
        "reason": verdict.reason,
        "stages": list(run.stages),
        "seconds": run.wall_seconds,
        "processor_seconds": run.processor_seconds,
        "screenshot": str(run.screenshot) if run.screenshot else "",
        "image": verdict.image,
        "version": verdict.version,
    }
    if verdict.result is Result.FAILED:
        hint = f"What the machine did: {', '.join(run.stages) or 'it sent nothing'}."
        return {"event": "failed", "hint": hint, **common}
    return {
        "event": "done",
        "result": verdict.result.value,
        "driver": verdict.driver,
        "package": verdict.package,
        "missing": verdict.missing,
        "device": tried.spec.nic.pci_id,
        **common,
    }


class _Slots:
    """Addresses: a kind of machine gets the same ones each time, if they are free."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, request: Request) -> Iterator[Slot]:
        kinds, cards = list(FirmwareKind), list(NICS)
        own = kinds.index(request.firmware) * len(cards) + cards.index(request.nic)
        spare = range(len(kinds) * len(cards), STATIC_LEASES)
        with self._lock:
            number = next(n for n in (own, *spare) if n not in self._taken)
            self._taken.add(number)
        try:
            yield Slot(number)
        finally:
            with self._lock:
                self._taken.discard(number)


class _Folders:
    """A folder for each machine's logs and screenshot; keeps the newest."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._parent.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name) for path in parent.iterdir() if path.name.isdigit()]
        self._last = max(numbers, default=0)
        self._lock = threading.Lock()

    def fresh(self) -> Path:
        with self._lock:
            self._last += 1
            old = self._parent / str(self._last - KEPT_FOLDERS)
            shutil.rmtree(old, ignore_errors=True)
            folder = self._parent / str(self._last)
            folder.mkdir()
            return folder


def listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(OSError):
            listener.connect(str(path))
            raise SiteAlreadyRunning(
                f"another lab is using {path}", hint="Stop the other site on this data folder."
            )
        listener.close()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise InvalidInput(
            f"cannot create the socket {path}: {error}",
            hint="A socket's path has at most 107 characters: choose a data folder with a"
            " shorter path.",
        ) from error
    except BaseException:
        listener.close()
        raise
    path.chmod(0o600)
    listener.listen(16)
    return listener


def _read_line(client: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < _REQUEST_LIMIT:
        part = client.recv(_REQUEST_LIMIT)
        if not part:
            break
        data += part
    return data.partition(b"\n")[0]


def _tell(client: socket.socket, event: dict[str, Any]) -> None:
    """A client that has hung up gets nothing more; its leash ends the machine."""
    with contextlib.suppress(OSError):
        client.sendall(json.dumps(event).encode() + b"\n")
