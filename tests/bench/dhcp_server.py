"""Our proxyDHCP daemon alone in a process, as the benchmark runs it: `python -m ... ADDRESS RELAY`.

Events are made and handed over as in life, to a list that keeps the last thousand.
"""

import gc
import signal
import sys
from collections import deque
from ipaddress import IPv4Network

from netboot.boot.answer.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.told.events import Event
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.udp import Loop
from tests.support.boot_requests import BOTH


def main(address: str, relay: str) -> None:
    """Serve until SIGTERM."""
    loop = Loop()
    settings = Settings(server=address, relays=(IPv4Network(f"{relay}/32"),))
    events: deque[Event] = deque(maxlen=1000)
    server = DhcpServer(
        loop=loop,
        interface="eth0",
        proxy=ProxyDhcp(settings, lambda: BOTH),
        emit=events.append,
        learn=lambda _mac, _ip: None,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: loop.stop())
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    loop.run()
    server.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
