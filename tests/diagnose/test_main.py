"""`netboot check` tells the truth: on a network that is well, and in ten planted faults."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netboot.diagnose.__main__ import main
from tests.captures.reader import FOLDER
from tests.diagnose.conftest import DNSMASQ, Network
from tests.support.dhcp_servers import ADDRESSES, BRANCH_ADDRESSES, BRANCH_ROUTER, wait_for
from tests.support.netlab import Host, needs_netns

UEFI = ("--kind", "uefi-x64")
IPXE_FOR_ALL = (
    "--pxe-service=x86PC,netboot,undionly.kpxe",
    "--pxe-service=X86-64_EFI,netboot,snponly.efi",
    "--pxe-service=BC_EFI,netboot,snponly.efi",
)


def outcomes(said: dict[str, Any]) -> dict[str, str]:
    """Kind to outcome."""
    return {one["kind"]: one["outcome"] for one in said["verdicts"]}


def faults(said: dict[str, Any]) -> list[dict[str, str]]:
    """All faults of the first kind."""
    return [one for one in said["verdicts"][0]["findings"] if one["level"] == "fault"]


def the_fault(said: dict[str, Any]) -> dict[str, str]:
    """The one fault that was planted."""
    found = faults(said)
    assert len(found) == 1, found
    assert found[0]["cure"]
    return found[0]


@pytest.mark.netns
@needs_netns
class TestNetwork:
    """Each planted fault is found, alone, and named with its cure."""

    def test_a_network_that_is_well(self, served: Network) -> None:
        """All kinds with an image boot; those without are not called broken."""
        code, said = served.check()

        assert outcomes(said) == {
            "bios": "boots", "uefi-x64": "boots", "uefi-x86": "not served",
            "uefi-arm64": "not served",
            "http-x64": "boots", "http-x86": "not served",
            "ipxe-bios": "boots", "ipxe-x64": "boots",
        }  # fmt: skip
        assert code == 0
        words = " ".join(one["words"] for one in said["verdicts"][1]["findings"])
        assert "10.77.0.1 offers the address 10.77.0.1" in words
        assert (
            "10.77.0.2 offers the boot file snponly.efi and tells the machine to load it" in words
        )
        assert "10.77.0.2 names snponly.efi on port 4011" in words
        assert "is what was published" in words
        assert "snponly.efi is a program for 64-bit UEFI" in words
        assert "its iPXE: http://10.77.0.2:8081/boot.ipxe is a script" in words
        assert "boot.wim.cpio is available (19.5 KiB) and begins as published" in words

    def test_images_can_be_read_to_their_end(self, served: Network) -> None:
        """Every byte is compared, and the rate told."""
        code, said = served.check(*UEFI, "--whole")

        words = [one["words"] for one in said["verdicts"][0]["findings"]]
        assert code == 0
        assert any("boot.wim.cpio arrived completely (19.5 KiB, " in one for one in words)

    def test_an_altered_image(self, network: Network) -> None:
        """The program is right; what it leads to is not."""
        network.address_server()
        network.site.start()
        text = network.expected.read_text()
        network.expected.write_text(alter_heads(text))
        code, said = network.check("--kind", "ipxe-bios")

        assert code == 1
        assert {one["words"] for one in faults(said)} == {
            f"http://10.77.0.2:8081/v/pe-x64/1/{name} differs from what was published in its first"
            " bytes"
            for name in ("vmlinuz", "initrd.gz", "boot.wim")
        }

    def test_wrong_server(self, network: Network) -> None:
        """Another boot server answers, ours is off."""
        network.address_server()
        with network.rogue_boot_server():
            code, said = network.check(*UEFI)

        words = [one["words"] for one in faults(said)]
        assert code == 1
        assert words[0].startswith("the wrong boot server answers: 10.77.0.9 offers")
        assert "10.77.0.2 does not answer" in words[0]

    def test_an_address_without_a_way_to_the_server(self, network: Network) -> None:
        """The DHCP server gives no router to machines behind a relay."""
        branch = relayed_branch(network, router=False)
        network.site.settings["relays"] = '["10.78.0.0/24"]'
        network.site.start()
        code, said = network.check(*UEFI, host=branch)

        assert code == 1
        assert "without a router" in the_fault(said)["words"]

    def test_no_dhcp(self, network: Network) -> None:
        """We answer, but nobody gives addresses."""
        network.site.start()
        code, said = network.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"] == "no DHCP server offers an address [PXE-E52]"

    def test_port_taken(self, network: Network) -> None:
        """A DHCP server on our host has port 67 and does not send clients to 4011."""
        network.address_server(host=network.site.host)
        network.site.start()
        code, said = network.check(*UEFI)

        assert code == 1
        assert "10.77.0.2 answers on port 4011 only" in the_fault(said)["words"]
        assert "dhcp-option-force=tag:pxe,60,PXEClient" in the_fault(said)["cure"]

    def test_port_taken_and_mended(self, network: Network) -> None:
        """With the lines of the cure it boots."""
        network.address_server("--dhcp-vendorclass=set:pxe,PXEClient",
                               "--dhcp-option-force=tag:pxe,60,PXEClient",
                               host=network.site.host)  # fmt: skip
        network.site.start()
        code, said = network.check("--kind", "uefi-x64", "--kind", "uefi-x86", "--kind", "ipxe-x64")

        assert code == 0
        assert outcomes(said) == {
            "uefi-x64": "boots", "uefi-x86": "not served", "ipxe-x64": "boots",
        }  # fmt: skip
        words = [one["words"] for one in said["verdicts"][2]["findings"]]
        assert "10.77.0.2 names http://10.77.0.2:8081/boot.ipxe on port 4011" in words

    def test_port_taken_and_http_boot(self, network: Network) -> None:
        """HTTP boot knows no port 4011: the truth is that it cannot work so."""
        network.address_server(host=network.site.host)
        network.site.start()
        code, said = network.check("--kind", "http-x64")

        assert code == 1
        assert the_fault(said)["words"].startswith("10.77.0.2 cannot answer HTTP boot")

    def test_server_off(self, network: Network) -> None:
        """On its own host the check says that nobody has its port."""
        network.address_server()
        code, said = network.check(*UEFI, host=network.site.host)

        assert code == 1
        assert the_fault(said)["cure"].startswith("No program uses UDP port 67 here")

    def test_file_missing(self, network: Network) -> None:
        """The program that is offered is not there."""
        network.address_server()
        network.site.drop_program("snponly.efi")
        network.site.start()
        code, said = network.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"].startswith("the server does not have snponly.efi")
        assert "[PXE-E3B]" in the_fault(said)["words"]

    def test_altered_file(self, network: Network) -> None:
        """Other bytes than those that were published, though a program of the right kind."""
        network.address_server()
        network.site.swap_program("snponly.efi", "ipxe.efi")
        network.site.start()
        code, said = network.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"].startswith("snponly.efi is not what was published: sha256:")

    def test_second_boot_server(self, served: Network) -> None:
        """Ours answers, and another one too."""
        with served.rogue_boot_server():
            code, said = served.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"].startswith("a second boot server answers: 10.77.0.9 offers")

    def test_wrong_architecture_of_a_program(self, network: Network) -> None:
        """It is what was published, but nothing for such machines."""
        network.address_server()
        network.site.swap_program("snponly.efi", "undionly.kpxe")
        network.site.write_expected(network.expected)
        network.site.start()
        code, said = network.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"] == (
            "snponly.efi is a program for BIOS, which a 64-bit UEFI PC cannot start"
        )

    def test_no_image_of_the_architecture(self, served: Network) -> None:
        """Asked for nothing but such machines, the check says why they get no answer."""
        code, said = served.check("--kind", "uefi-x86")

        assert (code, outcomes(said)) == (1, {"uefi-x86": "not served"})
        words = [one["words"] for one in said["verdicts"][0]["findings"]]
        assert "no image for a 32-bit UEFI PC is published: it gets no answer" in words

    def test_tftp_blocked(self, served: Network) -> None:
        """A firewall on the server."""
        with served.blocked("udp dport 69"):
            code, said = served.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"] == "no answer by TFTP for snponly.efi [PXE-E32]"

    def test_http_blocked(self, served: Network) -> None:
        """The program comes by HTTP, and HTTP does not."""
        with served.blocked("tcp dport 8081"):
            code, said = served.check("--kind", "http-x64")

        assert code == 1
        assert the_fault(said)["words"].startswith(
            "http://10.77.0.2:8081/p/snponly.efi cannot be reached"
        )

    def test_http_blocked_for_what_comes_after_the_program(self, served: Network) -> None:
        """The program comes by TFTP; the iPXE that it is gets no script."""
        with served.blocked("tcp dport 8081"):
            code, said = served.check(*UEFI)

        assert code == 1
        assert the_fault(said)["words"].startswith(
            "its iPXE: http://10.77.0.2:8081/boot.ipxe cannot be reached"
        )
        assert [one["titles"] for one in said["to_do"]] == [["64-bit UEFI PC"]]

    def test_port_4011_blocked(self, served: Network) -> None:
        """It boots where the OFFER is enough; others would not."""
        with served.blocked("udp dport 4011"):
            code, said = served.check(*UEFI)

        warnings = [one["words"] for one in said["verdicts"][0]["findings"]
                    if one["level"] == "warning"]  # fmt: skip
        assert (code, outcomes(said)) == (0, {"uefi-x64": "boots"})
        assert "does not answer on port 4011" in warnings[0]

    def test_relay_not_allowed(self, network: Network) -> None:
        """A client in another subnet, whose relay our settings do not name."""
        branch = relayed_branch(network)
        network.site.start()
        code, said = network.check(*UEFI, host=branch)

        assert code == 1
        assert the_fault(said)["words"] == "10.77.0.2 does not answer relays of this network"
        assert "`relays`" in the_fault(said)["cure"]

    def test_relay_allowed(self, network: Network) -> None:
        """With the cure it boots."""
        branch = relayed_branch(network)
        network.site.settings["relays"] = '["10.78.0.0/24"]'
        network.site.start()
        code, said = network.check(*UEFI, host=branch)

        assert (code, outcomes(said)) == (0, {"uefi-x64": "boots"})

    def test_on_the_servers_own_host_the_boot_log_explains_silence(self, network: Network) -> None:
        """With the data folder at hand the server's own reason is told."""
        network.address_server()
        network.site.settings["relays"] = '["10.78.0.0/24"]'
        network.site.start()
        forget_default(network)
        done = network.site.host.run(
            sys.executable, "-m", "netboot.diagnose", "--interface", "eth0", "--patience", "1",
            "--expected", str(network.expected), "--data", str(network.site.data),
            "--kind", "uefi-x64", check=False,
        )  # fmt: skip

        assert "10.77.0.2 does not answer: no default image for x64" in done
        assert "fails       64-bit UEFI PC" in done

    def test_a_home_made_proxy_that_hands_ipxe_its_own_ipxe_loops(self, bare: Network) -> None:
        bare.address_server()
        bare.home_made_proxy(*IPXE_FOR_ALL)
        said = bare.check_unknown("--kind", "ipxe-x64", "--kind", "bios", "--kind", "uefi-x64")

        for verdict in said["verdicts"]:
            (found,) = (one for one in verdict["findings"] if one["level"] == "fault")
            assert "loops: iPXE is handed iPXE again" in found["words"]
            assert "dhcp-match=set:ipxe,175" in found["cure"]

    def test_with_the_lines_of_the_cure_the_home_made_proxy_boots(self, bare: Network) -> None:
        script = bare.site.data / "boot.ipxe"
        script.write_text("#!ipxe\nexit\n")
        host = bare.address_server()
        serve_folder(host, script.parent)
        services = (one.replace("=", "=tag:!ipxe,") for one in IPXE_FOR_ALL)
        url = "http://10.77.0.1:8081/boot.ipxe"
        bare.home_made_proxy(*services, "--dhcp-match=set:ipxe,175", f"--dhcp-boot=tag:ipxe,{url}")
        said = bare.check_unknown("--kind", "ipxe-x64", "--kind", "bios", "--kind", "uefi-x64")

        assert outcomes(said) == {"ipxe-x64": "boots", "bios": "boots", "uefi-x64": "boots"}

    def test_a_script_that_starts_itself_or_ipxe_again_loops(self, bare: Network) -> None:
        host = bare.address_server()
        folder = bare.site.data
        (folder / "ipxe.efi").write_bytes(Path("/usr/lib/ipxe/ipxe.efi").read_bytes())
        serve_folder(host, folder)
        url = "http://10.77.0.1:8081/boot.ipxe"
        bare.home_made_proxy(f"--dhcp-boot={url}", "--pxe-service=X86-64_EFI,s," + url)
        for chained, words in (
            ("boot.ipxe", "loops: the script comes back to itself"),
            ("ipxe.efi", f"its iPXE: loops: {url} starts another iPXE"),
        ):
            (folder / "boot.ipxe").write_text(f"#!ipxe\nchain {chained}\n")
            said = bare.check_unknown("--kind", "ipxe-x64")

            assert the_fault(said)["words"].startswith(words)

    def test_the_items_of_a_boot_menu_are_followed(self, bare: Network) -> None:
        """Each is asked for on port 4011, as a ROM does that starts it."""
        bare.address_server()
        bare.home_made_proxy(
            "--pxe-prompt=Press F8,5",
            "--pxe-service=x86PC,Disk,0",
            "--pxe-service=x86PC,memory,undionly.kkpxe",
            "--pxe-service=x86PC,elsewhere,15,10.77.0.77",
        )
        said = bare.check_unknown("--kind", "bios")
        words = [one["words"] for one in said["verdicts"][0]["findings"]]

        assert (
            "the boot menu starts 'Disk' after 5 s; it has: 'Disk', 'memory', 'elsewhere'"
            in (words[2].partition(": without a person")[0])
        )
        assert "10.77.0.2 names undionly.kkpxe.0 for 'memory' on port 4011" in words or (
            "10.77.0.2 names undionly.kkpxe for 'memory' on port 4011" in words
        )
        assert "no answer from 10.77.0.77 for 'elsewhere' [PXE-E55]" in words

    def test_kinds_that_a_foreign_server_leaves_out_are_no_fault(self, bare: Network) -> None:
        """It serves BIOS only; nobody here has anything for ARM64."""
        bare.address_server()
        bare.home_made_proxy("--pxe-service=x86PC,memory,pxe.lkrn")
        (bare.site.data / "tftp" / "pxe.lkrn").write_bytes(b"\xea program for BIOS")
        code, said = bare.check_bare("--kind", "bios", "--kind", "uefi-arm64", "--kind", "http-x64")

        assert (code, outcomes(said)) == (
            0, {"bios": "boots", "uefi-arm64": "not served", "http-x64": "not served"},
        )  # fmt: skip

    def test_a_dhcp_server_that_pings_first_is_slow_and_not_absent(self, network: Network) -> None:
        network.address_server(pings=True)
        network.site.start()
        code, said = network.check("--kind", "uefi-x64", "--kind", "ipxe-x64")

        assert (code, outcomes(said)) == (0, {"uefi-x64": "boots", "ipxe-x64": "boots"})
        (slow,) = (
            one["words"] for one in said["verdicts"][0]["findings"] if one["level"] == "warning"
        )
        seconds = float(slow.split()[4])
        assert slow.startswith("slow: first offer after ")
        assert slow.endswith(" s; such firmware keeps asking for 60 s, and takes it")
        assert 3.0 <= seconds < 6
        assert "no-ping" in said["to_do"][0]["cure"]


def serve_folder(host: Host, folder: Path) -> None:
    """Serve a folder by HTTP on port 8081 of a host."""
    program = host.start(
        sys.executable, "-u", "-m", "http.server", "8081", "--directory", str(folder)
    )
    wait_for(program, "Serving HTTP")


def forget_default(network: Network) -> None:
    """Choose no image for anybody any more."""
    from netboot.site import Site

    Site.open(network.site.data).point.publish_policy(lambda: ({}, {}))


def alter_heads(text: str) -> str:
    """A list of what is published, as if other images had been published than are served."""
    listed = json.loads(text)
    for image in listed["images"]:
        for file in image["files"].values():
            file["head"] = "sha256:" + "0" * 64
    return json.dumps(listed)


def relayed_branch(network: Network, *, router: bool = True) -> Any:
    """A client behind a router with ISC dhcrelay; DHCP for both subnets by dnsmasq."""
    dhcp = network.lan.host("dhcp", "10.77.0.1/24")
    way = (BRANCH_ROUTER,) if router else ()
    wait_for(
        dhcp.start(*DNSMASQ, ADDRESSES, BRANCH_ADDRESSES, *way),
        "DHCP, IP range 10.78",
    )
    gateway = network.lan.host("router", "10.77.0.254/24")
    network.lan.plug(gateway, "eth1", "10.78.0.1/24", lan="branch")
    gateway.run("sysctl", "-w", "net.ipv4.ip_forward=1")
    for host in (dhcp, network.site.host):
        host.run("ip", "route", "add", "10.78.0.0/24", "via", "10.77.0.254")
    wait_for(
        gateway.start("dhcrelay", "-4", "-d", "-i", "eth0", "-i", "eth1", "10.77.0.1", "10.77.0.2"),
        "Sending on   Socket",
    )
    client = network.lan.host("branchcli", "10.78.0.50/24", lan="branch")
    client.run("ip", "route", "add", "default", "via", "10.78.0.1")
    return client


def test_the_story_of_a_capture_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`--capture` needs no network."""
    code = main(["--capture", str(FOLDER / "uefi64-edk2-native-snponly.pcap")])
    said = capsys.readouterr().out

    assert code == 0
    assert "DISCOVER: 64-bit UEFI PC" in said
    assert "OFFER of 10.77.0.2 (port 67): the boot file snponly.efi" in said


def test_what_is_no_capture_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two lines and exit code 2, no traceback."""
    path = tmp_path / "no.pcap"
    path.write_text("not a capture, but long enough to look at")

    assert main(["--capture", str(path)]) == 2
    assert "no.pcap is not a capture file" in capsys.readouterr().err


def test_without_an_interface_the_check_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    """An operator's fault has a hint."""
    assert main([]) == 2
    assert "--interface eth0" in capsys.readouterr().err


def test_the_socket_of_a_lab_that_ended_is_no_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.sock").touch()

    assert main(["--data", str(tmp_path)]) == 2
    assert "--interface eth0" in capsys.readouterr().err


def test_the_check_is_a_command_of_netboot(tmp_path: Path) -> None:
    """`netboot check` hands over to it."""
    done = subprocess.run(
        [sys.executable, "-m", "netboot", "--data", str(tmp_path), "check", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "Ask the network as machines do" in done.stdout
