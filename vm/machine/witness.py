"""The stages of a boot, from the frames that the machine sent."""

from collections.abc import Callable
from dataclasses import dataclass, field

from vm.machine.plain_pxe import udp_destination

_TCP = 6
_DHCP = 67
_REPORT = b"POST /report"
WINDOWS_ASKED = "Windows asked for an address"

_WINDOWS = b"MSFT 5.0"  # option 60 of Windows' own DHCP client, of PE too; no boot ROM says it
_BY_UDP_PORT = {67: "asked for an address", 4011: "asked the boot server", 69: "asked by TFTP"}


@dataclass(slots=True)
class Witness:
    """A switch hook that sees every frame of a machine and changes none.

    `stages` are in the order of their first frame; `reported` is set when the machine sends a
    report. `frames` counts all. It calls `on_stage` for each new stage.
    """

    stages: list[str] = field(default_factory=list)
    frames: int = 0
    reported: bool = False
    on_stage: Callable[[str], None] = lambda _stage: None

    def __call__(self, frame: bytes) -> bytes | None:
        self.frames += 1
        stage = _stage(frame)
        if stage and stage not in self.stages:
            self.stages.append(stage)
            self.on_stage(stage)
        if _REPORT in frame[54:120]:
            self.reported = True
        return frame

    @property
    def last_stage(self) -> str:
        return self.stages[-1] if self.stages else "sent nothing"


def _stage(frame: bytes) -> str:
    port = udp_destination(frame)
    if port == _DHCP and _WINDOWS in frame:
        return WINDOWS_ASKED
    if port is not None:
        return _BY_UDP_PORT.get(port, "")
    is_ipv4_tcp = len(frame) > 54 and frame[12:14] == b"\x08\x00" and frame[23] == _TCP
    return "asked by HTTP" if is_ipv4_tcp and b" HTTP/1." in frame else ""
