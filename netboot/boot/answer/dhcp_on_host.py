"""The configuration of a DHCP server on our own host, which then holds port 67.

We serve port 4011 only, and that server's OFFER must send PXE clients there: by option 60
"PXEClient" and nothing else (PXE 2.1 §2.2.3; Microsoft: "WDS on the same host as DHCP").
"""

from typing import Final

_DNSMASQ: Final = """\
dhcp-vendorclass=set:pxe,PXEClient
dhcp-option-force=tag:pxe,60,PXEClient"""

_ISC: Final = """\
class "pxe" {
  match if substring(option vendor-class-identifier, 0, 9) = "PXEClient";
  option vendor-class-identifier "PXEClient";
}"""

_KEA: Final = """\
"client-classes": [{
  "name": "pxe",
  "test": "substring(option[60].hex,0,9) == 'PXEClient'",
  "option-data": [{ "name": "vendor-class-identifier", "data": "PXEClient",
                    "always-send": true }]
}]"""

_LINES: Final = {"dnsmasq": _DNSMASQ, "dhcpd": _ISC, "kea-dhcp4": _KEA}


def option_60_lines(program: str) -> str:
    """The lines for the DHCP server that `program` begins with, or the setting in words."""
    for name, lines in _LINES.items():
        if program.startswith(name):
            return lines
    return "option 60 (vendor-class-identifier) = PXEClient, for clients that send PXEClient"
