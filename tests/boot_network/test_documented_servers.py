"""The DHCP examples of the chapter on the network, in the real DHCP servers."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from netboot.boot.answer.dhcp_on_host import option_60_lines
from tests.serve.conftest import Firmware
from tests.support.boot_requests import ipxe, request
from tests.support.dhcp_servers import START
from tests.support.netlab import Lan, needs_netns

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (ROOT / "docs" / "network.md").read_text()
TITLES = {"dnsmasq": "dnsmasq", "dhcpd": "ISC dhcpd", "kea-dhcp4": "Kea"}
PROGRAMS = {0: b"undionly.kpxe", 6: b"grubia32.efi", 7: b"snponly.efi", 9: b"snponly.efi"}
SERVER = b"\xc0\x00\x02\x0a"  # 192.0.2.10, as in the chapter

netns = pytest.mark.netns


def examples(heading: str) -> dict[str, str]:
    """The code of a section by the words before it: a heading, or a line that ends with a colon."""
    level = re.escape("#" * (len(heading) - len(heading.lstrip("#"))))
    part = re.split(rf"^{level} ", CHAPTER.partition(f"{heading}\n")[2], flags=re.MULTILINE)[0]
    found = re.findall(
        r"^(?:### )?(dnsmasq|ISC dhcpd|Kea)\b[^\n]*\n(?:\n[^\n`#][^\n]*\n)?\n```\n(.*?)\n```",
        part,
        flags=re.MULTILINE | re.DOTALL,
    )
    return dict(found)


FIRST_PROGRAMS = examples("## Firmware that does not merge two offers")
SCRIPTS = examples("## Where netboot cannot hear the machines")
OPTION_60 = examples("## A DHCP server on the same host")


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN with nothing on it."""
    with Lan() as made:
        yield made


@pytest.mark.parametrize("make", TITLES)
def test_the_lines_for_a_server_on_the_same_host_are_those_that_netboot_prints(make: str) -> None:
    """The chapter and the log of the boot services say the same."""
    assert option_60_lines(make) == OPTION_60[TITLES[make]]


@netns
@needs_netns
@pytest.mark.parametrize("make", TITLES)
def test_each_kind_of_machine_gets_its_first_program(lan: Lan, tmp_path: Path, make: str) -> None:
    """And iPXE gets none, so that it cannot start itself without end."""
    host = lan.host("dhcp", "10.77.0.1/24")
    START[make](host, tmp_path, FIRST_PROGRAMS[TITLES[make]])
    rom = Firmware(lan.host("cli"))
    for number, (architecture, program) in enumerate(PROGRAMS.items()):
        rom.send(request(architecture=architecture, mac=bytes((2, 0, 0, 0, 0, number))))
        offer, _ = rom.receive()
        named = offer.boot_file or offer.options.get(67, b"").rstrip(b"\0")
        assert (named, offer.next_server) == (program, SERVER), architecture
    for architecture in (0, 7):
        rom.send(ipxe(architecture=architecture, mac=b"\2\0\0\0\1" + bytes((architecture,))))
        offer, _ = rom.receive()
        assert (offer.boot_file, offer.options.get(67)) == (b"", None)


@netns
@needs_netns
def test_where_netboot_is_not_heard_ipxe_gets_the_address_of_its_script(
    lan: Lan, tmp_path: Path
) -> None:
    """For each firmware its own."""
    host = lan.host("dhcp", "10.77.0.1/24")
    START["dnsmasq"](host, tmp_path, f"{FIRST_PROGRAMS['dnsmasq']}\n{SCRIPTS['dnsmasq']}")
    rom = Firmware(lan.host("cli"))
    for architecture, query in ((0, b"platform=pcbios"), (7, b"platform=efi&arch=x64")):
        rom.send(ipxe(architecture=architecture, mac=b"\2\0\0\0\2" + bytes((architecture,))))
        offer, _ = rom.receive()
        assert offer.boot_file == b"http://192.0.2.10:8081/boot.ipxe?" + query


@pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed")
@netns
@needs_netns
def test_nftables_takes_the_firewall_of_the_chapter(lan: Lan, tmp_path: Path) -> None:
    """Checked in a network of its own, and loaded there."""
    (rules,) = re.findall(r"```text\n(table inet netboot .*?)\n```", CHAPTER, flags=re.DOTALL)
    file = tmp_path / "netboot.nft"
    file.write_text(rules)
    host = lan.host("srv", "10.77.0.2/24")
    host.run("nft", "-f", str(file))
    listed = json.loads(host.run("nft", "-j", "list", "table", "inet", "netboot"))
    assert len([one for one in listed["nftables"] if "rule" in one]) == 6


def test_windows_commands_are_well_formed() -> None:
    """A parser of PowerShell reads them; there is no Windows here to try them on."""
    parser = pytest.importorskip("tree_sitter_powershell")
    from tree_sitter import Language, Parser

    (script,) = re.findall(r"```powershell\n(.*?)\n```", CHAPTER, flags=re.DOTALL)
    tree = Parser(Language(parser.language())).parse(script.encode())
    assert not tree.root_node.has_error
    assert dict(re.findall(r'Arch:(\d+)" = "([\w.]+)"', script)) == {
        f"{code:05}": program.decode() for code, program in PROGRAMS.items()
    }
