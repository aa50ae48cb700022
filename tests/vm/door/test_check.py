import contextlib
import json
import socket
import subprocess
import sys

import pytest

from netboot.errors import InvalidInput
from vm.door.check import asked_for
from vm.door.server import LabServer
from vm.network.lab_network import DHCP_ADDRESS


class Nothing:
    """A server to which no report ever came."""

    def arrived(self, macs, *, expected):
        return ()


@pytest.mark.parametrize("line", [b"boot!", b"[]", b'{"nic": "e1000"}'])
def test_other_requests_are_none_of_ours(line):
    """They are for test machines."""
    assert asked_for(line) is None


def test_a_check_is_asked_for_with_its_options():
    """Those that make sense in the lab."""
    words = ["--kind", "bios", "--patience", "3", "--whole"]

    assert words == asked_for(json.dumps({"check": words}).encode())


@pytest.mark.parametrize(
    "words", [["--data", "/"], ["--kind"], ["--write-expected", "x"], ["--kind", "bios", "x"], 7]
)
def test_other_options_are_refused(words):
    """No file is named through the lab's door."""
    with pytest.raises(InvalidInput):
        asked_for(json.dumps({"check": words}).encode())


@pytest.mark.netns
def test_the_lab_checks_its_own_network(network, tmp_path):
    """Its DHCP server is heard; no boot server is started here, and that is what is told."""
    path = tmp_path / "lab.sock"
    request = {"check": ["--kind", "uefi-x64", "--patience", "1"]}
    with (
        LabServer(
            network,
            path,
            reports=Nothing,
            accelerator=lambda _kind: "tcg",
            pin=contextlib.nullcontext,
        ),
        socket.socket(socket.AF_UNIX) as link,
    ):
        link.settimeout(60)
        link.connect(str(path))
        link.sendall(json.dumps(request).encode() + b"\n")
        with link.makefile("rb") as stream:
            events = [json.loads(line) for line in stream]

    told = [event for event in events if event["event"] != "silent"]
    assert [event["event"] for event in told] == ["asking", "verdict", "done"]
    words = [finding["words"] for finding in told[1]["findings"]]
    assert words[0].startswith(f"{DHCP_ADDRESS} offers the address 10.77.0.2")
    assert told[1]["outcome"] == "fails"


@pytest.mark.netns
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_check_on_the_labs_host_asks_the_lab(network, tmp_path, form):
    with LabServer(
        network,
        tmp_path / "lab.sock",
        reports=Nothing,
        accelerator=lambda _kind: "tcg",
        pin=contextlib.nullcontext,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "netboot", "--data", str(tmp_path), "check",
             "--kind", "uefi-x64", "--patience", "0.5", *form],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )  # fmt: skip

    assert done.returncode == 1, done.stderr
    assert f"{DHCP_ADDRESS} offers the address 10.77.0.2" in done.stdout
    if form:
        assert json.loads(done.stdout)["verdicts"][0]["outcome"] == "fails"
    else:
        assert "Checking eth0 from 10.77.0.2" in done.stdout
        assert "What to do:" in done.stdout
