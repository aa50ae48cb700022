"""What the codes on a machine's screen mean: PXE ROMs, UEFI network stacks, Windows' boot manager.

Sources: PXE 2.1 specification, appendix on ROM messages; Microsoft's "Advanced troubleshooting
for PXE boot issues" and the NTSTATUS list; reports from the field, as the causes say; and what
Microsoft's boot managers (builds 8400 to 28000) were seen to show of this server's faults.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code: its meaning, usual causes and fixes; likeliest cause first."""

    code: str
    meaning: str
    causes: tuple[str, ...]
    cures: tuple[str, ...]


def _code(code: str, meaning: str, causes: str, cures: str) -> ErrorCode:
    """Semicolons separate causes and cures, which keeps the table below readable."""
    return ErrorCode(code, meaning, _parts(causes), _parts(cures))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip()[:1].upper() + part.strip()[1:] + "." for part in text.split(";"))


PXE_CODES = (
    _code(
        "PXE-E07",
        "Network device error (UEFI)",
        "the DHCP server refused the address that the machine asked for (DHCPNAK);"
        " the card's own driver failed",
        "search the DHCP server's log for “address in use”; update the machine's firmware",
    ),
    _code(
        "PXE-E09",
        "Could not write to the network device",
        "the link went down during the boot; the card's firmware hangs",
        "check cable and switch port; switch the machine off and on again",
    ),
    _code(
        "PXE-E11",
        "ARP timeout: the server's hardware address was not found",
        "the boot server is in another network and the DHCP server named no router;"
        " the boot server's address is wrong",
        "set the router (option 3) in the DHCP server; check the setting `address` of this site",
    ),
    _code(
        "PXE-E16",
        "No offer received (UEFI)",
        "no DHCP or proxyDHCP answer came in time; spanning tree keeps the switch port closed;"
        " VLAN without a DHCP relay",
        "switch on PortFast (edge port); point the router's relay at DHCP server and this site;"
        " run `netboot check`",
    ),
    _code(
        "PXE-E18",
        "Server response timeout (UEFI)",
        "the boot server's answer on port 4011 or the first TFTP packet did not come;"
        " UDP port 4011 or 69 is blocked",
        "open UDP ports 67, 4011 and 69 of this server, and the ports that TFTP answers from;"
        " run `netboot check` from the machine's network",
    ),
    _code(
        "PXE-E21",
        "Remote boot cancelled",
        "a user pressed Esc; the answer named no boot file",
        "boot it again; check the offer in the boot log",
    ),
    _code(
        "PXE-E23",
        "The boot file is larger than the space for it (UEFI: buffer too small)",
        "the server sent a wrong size; a BIOS got a UEFI program",
        "check that no DHCP option 67 of another server names the boot file",
    ),
    _code(
        "PXE-E32",
        "TFTP open timeout",
        "UDP port 69 is blocked by a firewall; the answer named a server that serves no TFTP",
        "open UDP port 69 of this server; remove option 66 from the DHCP server",
    ),
    _code(
        "PXE-E35",
        "TFTP read timeout",
        "packets are lost, or too large for a tunnel on the way;"
        " a firewall lets the request in and the data not out",
        "try a smaller TFTP block size (1380 for VPN paths); allow the ports above 1023 that TFTP"
        " answers from",
    ),
    _code(
        "PXE-E36",
        "The TFTP server answered with an error",
        "the file is not part of the version that this machine gets",
        "look at the refused file in the boot's timeline; build and distribute the image again",
    ),
    _code(
        "PXE-E3B",
        "TFTP: file not found",
        "the boot file name comes from another server (DHCP option 67); the image lacks the file",
        "remove options 66 and 67 from the DHCP server; look at the refused file in the timeline",
    ),
    _code(
        "PXE-T01",
        "TFTP: file not found (the text next to PXE-E36)",
        "the boot file name comes from another server (DHCP option 67)",
        "remove options 66 and 67 from the DHCP server",
    ),
    _code(
        "PXE-E3F",
        "TFTP packet of a bad size",
        "the block size is larger than the path allows, or a middlebox rebuilds packets",
        "try a smaller TFTP block size",
    ),
    _code(
        "PXE-E51",
        "No DHCP or proxyDHCP offers were received",
        "no DHCP server in this network; the switch port opens too late; VLAN without a relay",
        "check whether the machine is in the boot log: if not, none of its packets arrived;"
        " switch on PortFast; add a DHCP relay",
    ),
    _code(
        "PXE-E52",
        "proxyDHCP offers were received, no DHCP offers",
        "this server answered, but no DHCP server gave the machine an address;"
        " the DHCP server's pool is empty",
        "start the DHCP server of that network, or enlarge its pool",
    ),
    _code(
        "PXE-E53",
        "No boot filename received",
        "no boot server answered: there is no image for this machine, or its request did not"
        " arrive",
        "check in the boot log why it was ignored; set a default image for its architecture;"
        " point the DHCP relay at this server too",
    ),
    _code(
        "PXE-E55",
        "proxyDHCP: no reply to the request on port 4011",
        "UDP port 4011 of the boot server is blocked or another program holds it;"
        " the DHCP server sends option 60 “PXEClient” although no boot server runs on it",
        "open UDP port 4011 of this server; remove option 60 from the DHCP server;"
        " run `netboot check`",
    ),
    _code(
        "PXE-E61",
        "Media test failure, check cable",
        "no link at the network card",
        "check cable, switch port and the card's setting in the firmware",
    ),
    _code(
        "PXE-E74",
        "Bad or missing PXE menu or prompt information",
        "two boot servers answer, one with a menu that the ROM cannot read",
        "switch off the other boot server; the overview lists those that were detected",
    ),
    _code(
        "PXE-E77",
        "Bad or missing discovery server list",
        "the answer made the ROM look for boot servers and named none;"
        " options 43 and 60 of the DHCP server are left over from another boot server",
        "remove options 43, 60, 66 and 67 from the DHCP server",
    ),
    _code(
        "PXE-E78",
        "Could not locate a boot server",
        "the named boot server does not answer on port 4011",
        "open UDP port 4011 of this server; remove option 43 from the DHCP server",
    ),
    _code(
        "PXE-E79",
        "The boot program is too big for the free base memory",
        "a BIOS got a UEFI program, or the whole WIM as its boot file",
        "remove option 67 from the DHCP server",
    ),
    _code(
        "PXE-E99",
        "Unexpected network error (UEFI)",
        "the offer could not be used; the firmware's network stack is faulty",
        "update the machine's firmware; check the offer in the boot log",
    ),
    _code(
        "PXE-M0F",
        "Exiting the PXE ROM",
        "the ROM gave up, for the reason in the line above, and tries the next boot device",
        "look up the PXE-E code in the line above",
    ),
)

WINDOWS_CODES = (
    _code(
        "0xc0000001",
        "A required device isn't connected or can't be accessed",
        "reading boot.sdi or the WIM by TFTP broke off: block size above the path's MTU, or lost"
        " packets; this site was stopped meanwhile; the WIM is cut off",
        "set a smaller TFTP block size (1456, or 1380 for VPN paths) and window;"
        " look in the boot's timeline how the transfer ended; verify the distribution point",
    ),
    _code(
        "0xc000000e",
        "The boot selection failed because a required device is inaccessible",
        "the boot configuration names a device that this firmware does not have",
        "build the image again and update the distribution point",
    ),
    _code(
        "0xc000000d",
        "The boot manager found no boot configuration data (BCD)",
        "the request for \\Boot\\BCD was refused, or went to another server (options 66 and 67);"
        " option 252 of another DHCP server names another file; Windows 8's boot manager got no"
        " option 252, and asks for none without it",
        "look at the refused file in the boot's timeline;"
        " remove options 66, 67 and 252 from the DHCP server, since netboot sends its own;"
        " build the image again and update the distribution point",
    ),
    _code(
        "0xc000000f",
        "A file that is needed to start is missing",
        "with “File: \\Windows\\…”: the image lacks that file, most often winload.efi;"
        " with “A required device isn't connected or can't be accessed”: boot.sdi or boot.wim was"
        " refused",
        "look at the refused file in the boot's timeline, and verify the distribution point;"
        " if the screen names a file of \\Windows, import an image from Windows installation media"
        " that has it, and build a version",
    ),
    _code(
        "0xc0000017",
        "Not enough memory for the RAM disk",
        "the machine needs the size of the WIM and 512 MB more, and a 32-bit BIOS boot has to"
        " find it below 4 GB",
        "give the machine more memory; remove unneeded content from the image; boot it by UEFI",
    ),
    _code(
        "0xc0000022",
        "Access denied",
        "the boot manager refuses the boot configuration or loader: it was altered",
        "build the image again; verify the distribution point",
    ),
    _code(
        "0xc0000098",
        "The boot configuration data file has no valid entry for an operating system",
        "the boot configuration is of another firmware or architecture than the machine",
        "check the image's architecture against the machine's; build the image again",
    ),
    _code(
        "0xc0000102",
        "A file is damaged",
        "bytes were altered on the way or on disk",
        "verify the distribution point, then update it again",
    ),
    _code(
        "0xc000014c",
        "The boot configuration data is damaged",
        "bytes were altered on the way or on disk",
        "verify the distribution point, then build the image again",
    ),
    _code(
        "0xc0000221",
        "The checksum of the file that the screen names does not match",
        "this file in the image was altered or damaged: winload, the kernel, or a driver that"
        " starts with it",
        "verify the distribution point; import the source again and build a version;"
        " remove the driver or extra file that replaced it",
    ),
    _code(
        "0xc0000225",
        "No operating system found, or its loader is missing",
        "the boot configuration names winload.exe on UEFI or winload.efi on a BIOS;"
        " the WIM has no Windows PE at that index",
        "check the image's index; build the image again",
    ),
    _code(
        "0xc0000359",
        "The file that the screen names is a program of another architecture",
        "winload or a driver in the image is 32-bit and the boot manager 64-bit, or the other way"
        " round; for a boot manager of another architecture firmware itself says “Unsupported”",
        "import an image whose files are all of one architecture;"
        " give the machine an image of its firmware's architecture",
    ),
    _code(
        "0xc0000428",
        "The digital signature of a file could not be verified",
        "Secure Boot refuses the boot manager or a driver: its signature is missing, or its"
        " certificate was revoked",
        "use the boot manager that is signed by the certificate which the machine trusts (2011 or"
        " 2023); remove unsigned drivers",
    ),
    _code(
        "0xc000007b",
        "The file that the screen names is no program",
        "this file in the image (most often winload.efi or winload.exe) is damaged, or another file"
        " has its name; this is not the blue screen 0x7B of a started Windows, which lacks a"
        " storage driver",
        "verify the distribution point; import the source again and build a version",
    ),
    _code(
        "0xc0210000",
        "BitLocker key needed",
        "the machine booted from its disk, not from the network",
        "choose network boot in the firmware's boot order",
    ),
)

CODES = {code.code.upper(): code for code in (*PXE_CODES, *WINDOWS_CODES)}


def look_up(text: str) -> ErrorCode | None:
    """The code as people type it: `pxe e55`, `E55`, `0xC000000F`, `c000000f`."""
    if found := re.search(r"\b(?:pxe)?[\s-]*([EMT])[\s-]?([0-9A-F]{2})\b", text, re.IGNORECASE):
        return CODES.get(f"PXE-{found[1]}{found[2]}".upper())
    if found := re.search(r"\b(?:0x)?(c0[0-9a-f]{6})\b", text, re.IGNORECASE):
        return CODES.get(f"0X{found[1]}".upper())
    return None
