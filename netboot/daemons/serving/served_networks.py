"""What the boot services do when the networks change, and what they tell of each.

The process that answers DHCP tells it: in the journal for the page, in the log, on the board and
to the service manager.
"""

import json
import threading
import time
from typing import Any

import structlog

from netboot.boot.networks import Network, serving_addresses, summary
from netboot.boot.told.events import NetworksChanged
from netboot.daemons.serving.boot_networks import DhcpNetworks, TftpNetworks
from netboot.daemons.starting.service_manager import service_manager
from netboot.errors import OperatorFault
from netboot.operations.boot_programs import programs_for
from netboot.operations.processes import OwnReport
from netboot.serve.udp import Loop
from netboot.site import Site

log = structlog.get_logger()

COUNT_SECONDS = 30.0


class ServedNetworks:
    """The networks of the boot services. `tftp` is None where other processes serve it."""

    def __init__(
        self, site: Site, loop: Loop, dhcp: DhcpNetworks, tftp: TftpNetworks | None
    ) -> None:
        self._site, self._loop = site, loop
        self._dhcp, self._tftp = dhcp, tftp
        self._networks: tuple[Network, ...] = ()
        self._troubles: dict[str, str] = {}
        self._told: object = None
        self._making = threading.Lock()
        self.report = OwnReport("boot services")
        loop.every(COUNT_SECONDS, lambda _now: self._tell())

    def open(self, networks: tuple[Network, ...], *, strict: bool) -> bool:
        """Serve these networks at the start; False if that has to be tried again.

        With `strict` it raises PortTaken, NotPermitted or InvalidInput.
        """
        self._networks = networks
        self._open(strict=strict)
        for interface, notes in self._dhcp.notes.items():
            for note in notes:
                log.warning("boot.note", interface=interface, note=note)
        self._tell()
        return not self._troubles

    def apply(self, networks: tuple[Network, ...]) -> bool:
        """Serve these networks from now on; False if that has to be tried again."""
        self._networks = networks
        self._open()
        threading.Thread(target=self._make_programs, name="programs", daemon=True).start()
        log.info(
            "boot.networks",
            networks=summary(networks),
            waits=[f"{one.name}: {one.waits}" for one in networks if one.waits],
            troubles=list(self._troubles.values()),
        )
        service_manager().status(f"serves {summary(networks)}")
        self._tell()
        return not self._troubles

    def close(self) -> None:
        """The boot services stop: the last word about each network."""
        lines = [self._line(one) | {"state": "stopped", "reason": ""} for one in self._networks]
        self._emit(lines)

    def _open(self, *, strict: bool = False) -> None:
        self._troubles = self._dhcp.apply(self._networks, strict=strict)
        if self._tftp is not None:
            self._troubles |= self._tftp.apply(self._networks, strict=strict)

    def _make_programs(self) -> None:
        """GRUB has our address inside, and takes a second: in a thread."""
        try:
            with self._making:
                programs_for(self._site, serving_addresses(self._networks))
        except OperatorFault as fault:
            log.warning("boot.programs", reason=str(fault), hint=fault.hint)

    def _tell(self) -> None:
        """Tell how the networks are, if that has changed since the last time."""
        waiting = [f"{one.name} ({one.waits})" for one in self._networks if one.waits]
        reasons = [*waiting, *self._troubles.values()]
        is_idle = len(waiting) == len(self._networks)
        self.report.trouble("network", "; ".join(reasons) if is_idle else "")
        self.report.note(f"serve without {'; '.join(reasons)}" if reasons and not is_idle else "")
        lines = [self._line(one) for one in self._networks]
        if lines != self._told:
            self._told = lines
            self._emit(lines)

    def _emit(self, lines: list[dict[str, Any]]) -> None:
        began = time.time() - time.monotonic()
        told = [line | {"last": began + line["last"]} if "last" in line else line for line in lines]
        event = NetworksChanged(at=time.time(), networks=json.dumps(told))
        self._site.journal.emit(event)

    def _line(self, network: Network) -> dict[str, Any]:
        """A network as the page shows it; `last` is monotonic."""
        trouble = self._troubles.get(network.address) or self._troubles.get(network.interface, "")
        tally = self._dhcp.tallies.get(network.name)
        line = {
            "name": network.name,
            "interface": network.interface,
            "address": network.address,
            "state": "waits" if trouble else network.state,
            "reason": trouble or network.waits,
            "subnets": [str(one) for one in network.subnets or (network.relayed,) if one],
            "block_size": network.block_size,
            "response_delay": network.response_delay,
            "only_known": network.only_known,
            "notes": self._dhcp.notes.get(network.interface, []) if network.is_local else [],
        }
        if tally is not None and tally.heard:
            line |= {
                "heard": tally.heard,
                "answered": tally.answered,
                "last": tally.last,
                "relays": list(tally.relays)[::-1],
            }
        return line
