"""How much memory a flood of made-up machines takes: prints MiB that the process grew by."""

import sys
from pathlib import Path

from netboot.boot.answer.proxy_dhcp import ProxyDhcp
from tests.support.boot_requests import BOTH, SETTINGS, request


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def main(count: int) -> None:
    """Feed `count` DISCOVERs of as many machines, 50 µs apart."""
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    first = bytes(request())
    before = resident_mib()
    for number in range(count):
        data = b"%b\x02%b%b" % (first[:28], number.to_bytes(5, "big"), first[34:])
        now = number * 50e-6
        proxy.receive(data, 67, ("0.0.0.0", 68), now)
    print(f"{resident_mib() - before:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
