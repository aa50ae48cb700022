"""The lab's private network: like a boot server's LAN, without touching a real one.

    dhcp  10.77.0.1   an ordinary DHCP server (dnsmasq) without boot options
    srv   10.77.0.2   the boot server under test
    the switch        joins both with the virtual machines' ports

The two programs on port 67 run in two namespaces, so both see every broadcast, as on a LAN. An
ordinary user can create the network if the system allows user namespaces. When this process ends
for any reason, the kernel removes the namespaces and everything in them.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from netboot.errors import NotPermitted, OperatorFault
from vm.network.daemons import wait_until_bound
from vm.network.switch import Switch
from vm.tools import dying_with_us, require_tool

DHCP = "dhcp"
SRV = "srv"
DHCP_ADDRESS = "10.77.0.1"
SERVER_ADDRESS = "10.77.0.2"
STATIC_LEASES = 100

_PLAN = {DHCP: [f"{DHCP_ADDRESS}/24", "fd77::1/64"], SRV: [f"{SERVER_ADDRESS}/24"]}
_READY_SECONDS = 20.0
_REPOSITORY = Path(__file__).resolve().parents[2]
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MAXIMUM = Path("/proc/sys/user/max_user_namespaces")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one machine: it gets the same reserved address each time."""

    number: int

    @property
    def mac(self) -> str:
        return f"52:54:00:77:00:{self.number:02x}"

    @property
    def second_mac(self) -> str:
        return f"52:54:00:77:01:{self.number:02x}"

    @property
    def ip(self) -> str:
        return f"10.77.0.{100 + self.number}"

    @property
    def uuid(self) -> str:
        """SMBIOS identity (DHCP option 97); all zeros would mean no identity."""
        return f"00000000-0000-4000-8000-5254007700{self.number:02x}"


class LabNetwork:
    """A context manager: the network exists inside the context."""

    def __init__(self, work: Path, *, capture: bool = False) -> None:
        self.work = work
        self._capture = work / "network.pcap" if capture else None
        self._stack = contextlib.ExitStack()
        self._holder: subprocess.Popen[bytes] | None = None
        self._dhcp: subprocess.Popen[bytes] | None = None
        self._inside: list[str] = []
        self.switch: Switch

    def __enter__(self) -> Self:
        """Create namespaces, switch and DHCP server. Raises NotPermitted, MissingTool."""
        self.work.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop_holder)
            links = self._start_holder()
            self.switch = Switch(capture=self._capture)
            stack.callback(self.switch.close)
            for name, link in zip(_PLAN, links, strict=True):
                self.switch.plug(name, link)
            self.switch.start()
            log = self.work / "dhcp.log"
            reserved = self.work.resolve() / "reservations"
            reserved.write_text(reservations(), encoding="ascii")
            self._dhcp = self.spawn_in(DHCP, dhcp_server_argv(reserved), log=log)
            stack.callback(stop_process, self._dhcp)
            wait_until_bound(self._dhcp, log, udp=(67,))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def spawn_in(
        self,
        namespace: str,
        argv: Sequence[str],
        *,
        log: Path | IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a program inside `dhcp` or `srv`; it dies with the calling thread.

        It is a direct child of this process, so `stop_process` and signals reach it. Its output
        goes to `log` (None: to our output).
        """
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(log.open("ab")) if isinstance(log, Path) else log
            return subprocess.Popen(
                self.command_in(namespace, argv),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT if stream is not None else None,
                env=dict(environment) if environment is not None else None,
                cwd=cwd,
            )

    def command_in(self, namespace: str, argv: Sequence[str]) -> list[str]:
        """`argv` so that it runs inside `dhcp` or `srv`, and is killed with its parent."""
        # This comes last: a process that changes its user loses the request for the signal.
        tool = require_tool("ip", package="iproute2")
        return [*self._inside, tool, "netns", "exec", namespace, *dying_with_us(argv)]

    def check(self) -> None:
        """Raises OperatorFault if a part of the network has ended."""
        for name, process in (("namespaces", self._holder), ("DHCP server", self._dhcp)):
            if process is not None and process.poll() is not None:
                raise OperatorFault(
                    f"the lab's {name} ended with code {process.returncode}",
                    hint=f"Restart the site; the logs are in {self.work}.",
                )

    def _start_holder(self) -> list[socket.socket]:
        near, far = socket.socketpair()
        near.settimeout(_READY_SECONDS)
        with far:
            self._holder = subprocess.Popen(
                [*_unshare(), sys.executable, "-m", "vm.network.holder", str(far.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(far.fileno(),),
                env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "PATH": _path_with_sbin()},
            )
        self._channel = near
        near.sendall(json.dumps(_PLAN).encode() + b"\n")
        try:
            data, descriptors, _, _ = socket.recv_fds(near, 65536, len(_PLAN))
        except OSError:
            data, descriptors = b"", []
        answer = json.loads(data) if data.endswith(b"\n") else {}
        if "pid" not in answer:
            raise _refused(answer.get("error") or self._holder_words())
        self._inside = _nsenter(answer["pid"])
        return [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def _holder_words(self) -> str:
        if self._holder is None or self._holder.stderr is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._holder.wait(1.0)
        if self._holder.poll() is None:
            return "the namespaces were not ready in time"
        return self._holder.stderr.read().decode(errors="replace").strip()

    def _stop_holder(self) -> None:
        if self._holder is None:
            return
        self._channel.close()
        stop_process(self._holder)
        if self._holder.stderr is not None:
            self._holder.stderr.close()


def require_private_network() -> None:
    """Raises NotPermitted if this user cannot make a private network, or MissingTool."""
    done = subprocess.run(
        [*_unshare(), "true"], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode:
        raise _refused(done.stderr.strip())


def dhcp_server_argv(reservations: Path) -> list[str]:
    """An ordinary DHCP server: addresses only, reserved for the lab's machines.

    Reservations: a server that offers one address to two machines sends a NAK to the slower one,
    and UEFI's PXE gives up on that. Router advertisements: without them iPXE waits 15 seconds for
    one. No ping before an offer: it costs 3 seconds.
    """
    return [
        require_tool("dnsmasq", package="dnsmasq-base"),
        *("--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-ping", "--log-dhcp"),
        *("--bind-interfaces", "--interface=eth0", "--except-interface=lo"),
        *("--dhcp-authoritative", "--dhcp-option=3", "--dhcp-leasefile=/run/leases", "--pid-file="),
        *("--dhcp-range=10.77.0.200,10.77.0.250,255.255.255.0,1h", "--dhcp-range=fd77::,ra-only"),
        *("--enable-ra", "--ra-param=eth0,0,0", f"--dhcp-hostsfile={reservations}"),
    ]


def reservations() -> str:
    return "".join(f"{slot.mac},{slot.ip}\n" for slot in map(Slot, range(STATIC_LEASES)))


def stop_process(process: "subprocess.Popen[bytes]", *, grace: float = 3.0) -> None:
    """Ask a process to end, then kill it; each wait is `grace` seconds at most."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)


def _unshare() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    tool = require_tool("unshare", package="util-linux")
    return [tool, "--net", "--mount", *user, "--"]


def _nsenter(pid: int) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    tool = require_tool("nsenter", package="util-linux")
    return [tool, f"--target={pid}", *user, "--mount", "--net", "--"]


def _refused(words: str) -> OperatorFault:
    if os.geteuid() == 0:
        return NotPermitted(
            f"cannot create a private network: {words}",
            hint="In a container, allow it to create namespaces (CAP_SYS_ADMIN).",
        )
    hint = "Run it as root, or allow user namespaces for ordinary users."
    for switch, refusing, setting in (
        (_APPARMOR, "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        (_CLONE, "0", "kernel.unprivileged_userns_clone=1"),
        (_MAXIMUM, "0", "user.max_user_namespaces=10000"),
    ):
        with contextlib.suppress(OSError):
            if switch.read_text(encoding="ascii").strip() == refusing:
                hint = f"Run it as root, or allow it: sudo sysctl {setting}"
                break
    return NotPermitted(f"this user cannot create a private network: {words}", hint=hint)


def _path_with_sbin() -> str:
    path = os.environ.get("PATH", "")
    return path if shutil.which("ip") else f"{path}:/usr/sbin:/sbin"
