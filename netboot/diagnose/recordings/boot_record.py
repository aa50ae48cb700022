"""One recorded boot: a machine's requests, the answers, its last step, and what stopped it."""

from dataclasses import dataclass, field
from typing import Any, Final

from netboot.diagnose.asking.answers import Reply

_MOST_LINES: Final = 200
_MOST_PHASES: Final = 50
_MOST_TRANSFERS: Final = 500
_MOST_XIDS: Final = 1000
_RETRIES: Final = 3


@dataclass(slots=True)
class Transfer:
    """A file that a machine asked for. `state`: asked, running, done, probed, or the error."""

    name: str
    server: str
    protocol: str
    state: str = "asked"
    data: int = 0


@dataclass(slots=True)
class Phase:
    """The requests of one program: firmware's PXE, its HTTP boot, or iPXE."""

    kind: str
    discovers: int = 0
    requested: bool = False
    dhcp_servers: set[str] = field(default_factory=set)
    boot_servers: set[str] = field(default_factory=set)
    file: str = ""
    asked_4011: str = ""
    answered_4011: bool = False
    transfers: list[Transfer] = field(default_factory=list)

    def trouble(self) -> str:
        """What stopped it, or ""; the step that failed first counts."""
        return self._no_answer() or self._no_file()

    def _no_answer(self) -> str:
        if len(self.boot_servers) > 1:
            return f"several boot servers answered: {', '.join(sorted(self.boot_servers))}"
        if not self.dhcp_servers:
            no_address = "no DHCP server offered an address [PXE-E52]"
            return no_address if self.boot_servers else "no server answered [PXE-E51]"
        if not self.boot_servers:
            return f"no boot server answered a {self.kind} [PXE-E53]"
        if not self.requested and self.discovers >= _RETRIES:
            return (
                f"it was offered an address and a boot file, and took neither, {self.discovers}"
                " times: this firmware does not merge two offers. Configure boot server and boot"
                " file on the DHCP server (options 66 and 67, next-server)"
            )
        if self.asked_4011 and not self.answered_4011:
            return f"{self.asked_4011} did not answer on port 4011 [PXE-E55]"
        return ""

    def _no_file(self) -> str:
        if not self.transfers:
            if self.requested and self.file:
                return f"it was offered the boot file {self.file}, but did not load it"
            return ""
        # Only the last: loaders probe for files that need not exist.
        last = self.transfers[-1]
        if last.state.startswith("error"):
            return f"{last.server} refused {last.name}: {last.state[6:]}"
        if last.state == "asked":
            code = " [PXE-E32]" if last.protocol == "TFTP" else ""
            return f"{last.server} did not answer for {last.name}{code}"
        return ""


@dataclass(slots=True)
class BootRecord:
    """The boot of the machine with this MAC. Times are seconds since its first packet."""

    mac: str
    began: float
    lines: list[tuple[float, str]] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    xids: set[int] = field(default_factory=set)
    cut: bool = False

    @property
    def phase(self) -> Phase:
        if not self.phases:
            self.phases.append(Phase("machine whose DISCOVER is not in the recording"))
        return self.phases[-1]

    def note(self, at: float, words: str) -> None:
        """Add a line; a very long story ends early, and says so."""
        if len(self.lines) < _MOST_LINES:
            self.lines.append((at - self.began, words))
        elif not self.cut:
            self.cut = True
            self.lines.append((at - self.began, "the rest of this long recording is left out"))

    def knows(self, xid: int) -> None:
        """It sent a request with this transaction ID, so the answers to it are its own."""
        if len(self.xids) >= _MOST_XIDS:
            self.xids.clear()
        self.xids.add(xid)

    def discover(self, at: float, kind: str, *, relay: str = "") -> None:
        if not self.phases or self.phase.kind != kind or self.phase.requested:
            self.phases.append(Phase(kind))
            del self.phases[:-_MOST_PHASES]
        self.phase.discovers += 1
        again = f", try {self.phase.discovers}" if self.phase.discovers > 1 else ""
        through = f", through the relay {relay}" if relay else ""
        self.note(at, f"DISCOVER: {kind}{again}{through}")

    def request(self, at: float, server: str) -> None:
        self.phase.requested = True
        self.note(at, f"REQUEST: takes the address of {server or 'a DHCP server'}")

    def reply(self, at: float, reply: Reply) -> None:
        word = "OFFER" if reply.message == 2 else "ACK"
        if reply.gives_address:
            self.phase.dhcp_servers.add(reply.server)
            self.note(at, f"{word} of {reply.server}: the address {reply.offered}")
        if reply.is_boot:
            self.phase.boot_servers.add(reply.server)
            self.phase.file = reply.file or self.phase.file
            what = f"the boot file {reply.file}" if reply.file else "a boot server to ask on 4011"
            self.note(at, f"{word} of {reply.server} (port {reply.via_port}): {what}")
        if reply.via_port == 4011:
            self.phase.answered_4011 = True

    def asks_4011(self, at: float, server: str) -> None:
        self.phase.asked_4011 = server
        self.note(at, f"asks {server} on port 4011")

    def asks_file(self, at: float, transfer: Transfer) -> None:
        self.phase.transfers.append(transfer)
        del self.phase.transfers[:-_MOST_TRANSFERS]
        self.note(at, f"{transfer.protocol}: asks {transfer.server} for {transfer.name}")

    def finding(self) -> tuple[bool, str]:
        """Whether something stopped the boot, and what; or its last step."""
        trouble = self.phase.trouble()
        if trouble:
            return True, trouble
        names = [one.name for phase in self.phases for one in phase.transfers]
        if names:
            return False, f"it got as far as {names[-1]}"
        return False, "the recording shows no fault"

    def as_data(self) -> dict[str, Any]:
        failed, words = self.finding()
        return {
            "mac": self.mac,
            "failed": failed,
            "finding": words,
            "lines": [{"at": round(at, 3), "words": words} for at, words in self.lines],
        }
