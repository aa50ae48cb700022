"""Ordinary DHCP servers of four makes, giving addresses and nothing else, in a test's LAN."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.netlab import Host

# All addresses of a range begin alike: what is told about them can be searched for.
RANGE = ("10.77.0.100", "10.77.0.199")
BRANCH_RANGE = ("10.78.0.100", "10.78.0.199")
ROUTER = "10.78.0.1"

BARE_DNSMASQ = (
    "dnsmasq", "-k", "--conf-file=/dev/null", "--user=root", "--group=root", "--port=0",
    "--no-ping", "--bind-interfaces", "--interface=eth0", "--pid-file=", "--log-facility=-",
)  # fmt: skip
LEASING = ("--dhcp-authoritative", "--dhcp-leasefile=/dev/null", "--dhcp-option=3")
ADDRESSES = f"--dhcp-range={RANGE[0]},{RANGE[1]},255.255.255.0,1h"
BRANCH_ADDRESSES = f"--dhcp-range=set:branch,{BRANCH_RANGE[0]},{BRANCH_RANGE[1]},255.255.255.0,1h"
BRANCH_ROUTER = f"--dhcp-option=tag:branch,3,{ROUTER}"
DNSMASQ = (*BARE_DNSMASQ, "--log-dhcp", *LEASING, ADDRESSES, BRANCH_ADDRESSES, BRANCH_ROUTER)

ISC = f"""
authoritative; default-lease-time 3600;
subnet 10.77.0.0 netmask 255.255.255.0 {{ range {RANGE[0]} {RANGE[1]}; }}
subnet 10.78.0.0 netmask 255.255.255.0 {{
  range {BRANCH_RANGE[0]} {BRANCH_RANGE[1]}; option routers {ROUTER};
}}
"""


def wait_for(program: subprocess.Popen[str], words: str) -> list[str]:
    """The lines of a program up to the one with these words."""
    assert program.stdout is not None
    said = []
    for line in program.stdout:
        said.append(line.rstrip())
        if words in line:
            return said
    told = "\n".join(said)
    raise AssertionError(f"it ended before it said {words!r}: {told}")


def start_dnsmasq(host: Host, folder: Path, lines: str = "") -> None:
    """dnsmasq; `lines` are more of its configuration."""
    del folder
    wait_for(host.start(*DNSMASQ, *(f"--{line}" for line in lines.splitlines())), "DHCP, IP range")


def start_isc(host: Host, folder: Path, lines: str = "") -> None:
    """ISC dhcpd."""
    configuration, leases = folder / "dhcpd.conf", folder / "dhcpd.leases"
    configuration.write_text(ISC + lines)
    leases.touch()
    argv = ("dhcpd", "-4", "-f", "-d", "--no-pid", "-cf", str(configuration), "-lf", str(leases))
    wait_for(host.start(*argv, "eth0"), "Server starting service")


def start_kea(host: Host, folder: Path, lines: str = "") -> None:
    """Kea; `lines` are a member of Dhcp4 in JSON."""
    configuration = folder / "kea.json"
    configuration.write_text(kea_configuration(lines))
    run = folder / "kea"
    run.mkdir(exist_ok=True)
    program = host.start("env", f"KEA_LOCKFILE_DIR={run}", f"KEA_PIDFILE_DIR={run}",
                         "kea-dhcp4", "-c", str(configuration))  # fmt: skip
    wait_for(program, "DHCP4_STARTED")


def kea_configuration(lines: str) -> str:
    """The whole of Kea's configuration with more members."""
    router = [{"name": "routers", "data": ROUTER}]
    own = {
        "interfaces-config": {"interfaces": ["eth0"]},
        "lease-database": {"type": "memfile", "persist": False},
        "valid-lifetime": 3600,
        "subnet4": [
            {"id": 1, "subnet": "10.77.0.0/24", "pools": [{"pool": " - ".join(RANGE)}]},
            {"id": 2, "subnet": "10.78.0.0/24", "pools": [{"pool": " - ".join(BRANCH_RANGE)}],
             "option-data": router},
        ],
        "loggers": [{"name": "kea-dhcp4", "output_options": [{"output": "stdout"}],
                     "severity": "INFO"}],
    }  # fmt: skip
    more = json.loads(f"{{{lines}}}")
    return json.dumps({"Dhcp4": {**own, **more}})


START: dict[str, Callable[[Host, Path, str], None]] = {
    "dnsmasq": start_dnsmasq,
    "dhcpd": start_isc,
    "kea-dhcp4": start_kea,
}
"""By the name of the program."""
