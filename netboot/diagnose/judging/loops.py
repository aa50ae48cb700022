"""A boot that never ends: a program, script or server that hands the machine the same again."""

from urllib.parse import urlsplit

from netboot.diagnose.asking.program import made_for
from netboot.diagnose.evidence import Evidence, boot_offers
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.findings import Finding, fault
from netboot.diagnose.judging.loading import shown

_DNSMASQ = """\
Let the server tell iPXE from firmware (option 175, or user class iPXE), and give iPXE a script.
For dnsmasq:
  dhcp-match=set:ipxe,175
  {firmware}
  dhcp-boot=tag:ipxe,{script}
ISC dhcpd and Kea: test `option user-class = "iPXE"` before the file is chosen.
Or switch off network boot on that server: netboot tells them apart by itself."""
_SERVICES = {0: "x86PC", 6: "IA32_EFI", 11: "ARM64_EFI"}


def loop(evidence: Evidence, expected: Expectation) -> list[Finding]:
    """The finding on a loop in what this machine is handed."""
    if not evidence.loop:
        return []
    program = evidence.program
    if program is None or made_for(program.data) != "script":
        return [_ipxe_again(evidence, expected)]
    if evidence.loop == program.name:
        return [
            fault(
                f"loops: {shown(program.name)} starts another iPXE, which gets the same script",
                "Remove the line that chains to iPXE: the script runs in iPXE already. To replace"
                " an old iPXE, let the script continue if ${version} is the new one.",
            )
        ]
    return [
        fault(
            f"loops: the script comes back to itself: {evidence.loop}",
            "Let the last script start something else: `chain` to a file that it does not come"
            " from, `boot`, or `exit` to leave iPXE.",
        )
    ]


def _ipxe_again(evidence: Evidence, expected: Expectation) -> Finding:
    code = evidence.kind.architecture
    server = expected.server or "SERVER"
    program = urlsplit(evidence.loop).path.rpartition("/")[2] or evidence.loop
    service = _SERVICES.get(code, "X86-64_EFI")
    by_offer = any(reply.file for reply in boot_offers(evidence.offers))
    cure = _DNSMASQ.format(
        firmware=f"dhcp-boot=tag:!ipxe,{program}"
        if by_offer
        else f'pxe-service=tag:!ipxe,{service},"netboot",{program}',
        script=f"http://{server}:{expected.http_port}/boot.ipxe",
    )
    return fault(f"loops: iPXE is handed iPXE again ({shown(evidence.loop)}), without end", cure)
