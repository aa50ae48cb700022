"""A virtual machine with Debian 12 on the lab's network, and a channel into it.

The channel is QEMU's guest agent, a package of Debian: nothing of ours runs inside. Debian's kernel
for virtual machines has no 9p, so files go in as a second disk.
"""

import base64
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vm.network.lab_network import LabNetwork, stop_process
from vm.tools import dying_with_us

ADDRESS = "10.77.0.3"
MAC = "52:54:00:77:ff:03"
"""No address of a test machine (vm.network.lab_network.Slot)."""

KERNEL_LINE = (
    "console=ttyS0 quiet loglevel=4 root=/dev/vda panic=-1 mitigations=off nokaslr tsc=unstable"
    " random.trust_cpu=on systemd.show_status=0 audit=0 net.ifnames=0"
)
START_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended in the machine."""

    code: int
    out: str
    errors: str

    @property
    def text(self) -> str:
        return self.out + self.errors


class ServerMachine:
    """The machine; its disk is never written, and `share` is the disk /dev/vdb in it."""

    def __init__(self, work: Path, disk: Path, network: LabNetwork, share: Path) -> None:
        self._work, self._disk, self._network, self._share = work, disk, network, share
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._work.mkdir(parents=True, exist_ok=True)
        self._port, wire = self._network.switch.plug_pair("server")
        self._own, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        log = (self._work / "qemu.log").open("wb")
        with log, wire, far:
            self._process = subprocess.Popen(
                dying_with_us(self._arguments(wire.fileno(), far.fileno())),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(wire.fileno(), far.fileno()),
            )  # fmt: skip
        self._read = b""
        try:
            self._wait_for_agent()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop_process(self._process)
        self._network.switch.unplug(self._port)
        self._own.close()

    def sh(self, script: str, *, seconds: float = 400.0) -> Done:
        """Run a shell script as root, and wait for its end."""
        started = self._call("guest-exec", path="/bin/sh", arg=["-c", script],
                             **{"capture-output": True})  # fmt: skip
        deadline, pause = time.monotonic() + seconds, 0.05
        while True:
            state = self._call("guest-exec-status", pid=started["pid"])
            if state["exited"]:
                out, errors = (_text(state, name) for name in ("out-data", "err-data"))
                return Done(state.get("exitcode", -1), out, errors)
            assert time.monotonic() < deadline, f"takes too long: {script}"
            time.sleep(pause)  # the agent has no event for the end of a program
            pause = min(0.5, pause * 1.5)

    def must(self, script: str, *, seconds: float = 400.0) -> str:
        """The output of a script that succeeds."""
        done = self.sh(script, seconds=seconds)
        assert done.code == 0, f"{script}: code {done.code}\n{done.text[-4000:]}"
        return done.out

    def _wait_for_agent(self) -> None:
        deadline, number = time.monotonic() + START_SECONDS, 0
        while True:
            assert self._process.poll() is None, (self._work / "qemu.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the machine did not start; see serial.log"
            self._own.settimeout(3.0)
            number += 1
            greeting = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
            self._own.sendall(b"\xff" + json.dumps(greeting).encode() + b"\n")
            try:
                # The answer to this greeting is behind those to earlier ones, which came late.
                while self._line() != b'\xff{"return": %d}' % number:
                    pass
            except TimeoutError:
                continue
            break
        state = self.sh("systemctl is-system-running --wait").out.strip()
        assert state == "running", self.sh("systemctl --failed; journalctl -p warning -b").out

    def _call(self, command: str, **arguments: Any) -> Any:
        self._own.settimeout(120.0)
        request = {"execute": command, "arguments": arguments}
        self._own.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self._line())
        assert "error" not in answer, answer
        return answer["return"]

    def _line(self) -> bytes:
        while b"\n" not in self._read:
            part = self._own.recv(1 << 20)
            assert part, "the machine has ended"
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _arguments(self, wire: int, agent: int) -> list[str]:
        files = sum(path.stat().st_size for path in self._share.rglob("*") if path.is_file())
        disk = self._work / "share.ext4"
        disk.unlink(missing_ok=True)
        subprocess.run(
            ["mkfs.ext4", "-q", "-O", "^has_journal", "-d", self._share, disk,
             f"{files // (1 << 20) * 11 // 10 + 24}M"],
            check=True,
        )  # fmt: skip
        root = f"format=raw,file={self._disk}/root.ext4,snapshot=on,cache=unsafe"
        return [
            *("qemu-system-x86_64", "-machine", "q35", "-smp", "2", "-m", "3072"),
            *("-cpu", "max,-avx,-avx2"),  # emulated, these make Python slower
            *("-accel", "tcg,thread=multi,tb-size=1024", "-nodefaults", "-no-user-config"),
            *("-display", "none", "-no-reboot"),
            *("-kernel", f"{self._disk}/vmlinuz", "-initrd", f"{self._disk}/initrd.gz"),
            *("-append", KERNEL_LINE),
            *("-drive", f"if=none,id=d0,{root}", "-device", "virtio-blk-pci,drive=d0"),
            *("-drive", f"if=none,id=d1,format=raw,file={disk},readonly=on"),
            *("-device", "virtio-blk-pci,drive=d1"),
            *("-chardev", f"file,id=ser,path={self._work}/serial.log", "-serial", "chardev:ser"),
            *("-device", "virtio-serial-pci", "-chardev", f"socket,id=qga,fd={agent}"),
            *("-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0"),
            *("-object", "rng-random,id=rng,filename=/dev/urandom"),
            *("-device", "virtio-rng-pci,rng=rng"),
            *("-netdev", f"dgram,id=net0,local.type=fd,local.str={wire}"),
            *("-device", f"virtio-net-pci,netdev=net0,mac={MAC},romfile="),
        ]


def _text(state: dict[str, Any], name: str) -> str:
    return base64.b64decode(state.get(name, "")).decode(errors="replace")
