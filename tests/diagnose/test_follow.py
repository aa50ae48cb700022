"""What a named program leads to is fetched from where it is meant."""

import pytest

from netboot.diagnose.asking import fetch
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.expectation import Expectation, Promised, PromisedImage
from netboot.diagnose.follow import fetch_parts, fetch_program, follow_script, known_to_ipxe

SCRIPT = b"""#!ipxe
set x ${buildarch}
kernel vmlinuz initrd=initrd.gz quiet
initrd /v/pe/1/initrd.gz
initrd -n boot.wim http://10.0.0.3:80/boot.wim boot.wim || goto failed
chain http://10.0.0.2/boot.ipxe?cpu=${cpu}
chain tftp://10.0.0.2/pxeboot.n12
boot
"""
KIND = {kind.key: kind for kind in KINDS}
EXPECTED = Expectation(
    server="10.0.0.2",
    programs={},
    images=(
        PromisedImage(
            label="PE v1",
            architecture="x86",
            default=True,
            path="/v/pe/1/",
            files={"vmlinuz": Promised("sha256:1", 10), "boot.wim": Promised("sha256:2", 99)},
        ),
    ),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is fetched, in order; nothing really is."""
    found: list[str] = []

    def http(url: str, *, head: int = 0, whole: bool = False, redirects: bool = False) -> Fetched:
        found.append(f"{url} {'whole' if whole else head}{' redirects' if redirects else ''}")
        return Fetched(url, SERVED.get(url, b""))

    def tftp(server: str, name: str) -> Fetched:
        found.append(f"{server} {name}")
        return Fetched(name, SERVED.get(f"tftp://{server}/{name}", b""))

    monkeypatch.setattr(fetch, "by_http", http)
    monkeypatch.setattr(fetch, "by_tftp", tftp)
    return found


def test_what_a_script_names_is_fetched_from_where_it_means(asked: list[str]) -> None:
    """Relative to the script; what only a machine can expand is left out."""
    program = Fetched("http://10.0.0.2:8081/boot.ipxe?mac=1", SCRIPT)
    led = follow_script(program, {})

    assert asked == [
        "http://10.0.0.2:8081/vmlinuz 4096 redirects",
        "http://10.0.0.2:8081/v/pe/1/initrd.gz 4096 redirects",
        "http://10.0.0.3:80/boot.wim 4096 redirects",
        "10.0.0.2 pxeboot.n12",
    ]
    assert [part.name for part in led.parts][-1] == "tftp://10.0.0.2/pxeboot.n12"
    assert led.loop == led.hands_over == ""


LOOPS = [
    ("http://h/self", "http://h/self → http://h/self"),
    ("http://h/a", "http://h/a → http://h/b → http://h/a"),
    ("tftp://h/x/rel", "tftp://h/x/rel → tftp://h/x/back → tftp://h/x/rel"),
]
SERVED = {
    "http://h/self": b"#!ipxe\ndhcp\nchain --autofree self || shell\n",
    "http://h/a": b"#!ipxe\nchain --replace ${next-server}/b\n".replace(
        b"${next-server}", b"http://${next-server}"
    ),
    "http://h/b": b"#!ipxe\nset base http://h\nchain ${base}/a\n",
    "tftp://h/x/rel": b"#!ipxe\nchain back\n",
    "tftp://h/x/back": b"#!ipxe\nisset ${net0/ip} || dhcp\ngoto on\n:on\nchain rel\n",
    "http://h/counts": b"#!ipxe\nchain http://h/counts?again\n",
    "http://h/counts?again": b"#!ipxe\nchain http://h/counts\n",
    "http://h/update": b"#!ipxe\nchain http://h/ipxe.efi\n",
    "http://h/menu": b"#!ipxe\nmenu Boot\nitem again Again\nchoose it && goto ${it}\n"
    b":again\nchain http://h/menu\n",
    "http://h/if": b"#!ipxe\niseq ${platform} efi && goto efi ||\nchain http://h/if\n:efi\nexit",
}


@pytest.mark.parametrize(("url", "loop"), LOOPS)
def test_a_script_that_comes_back_to_itself_is_a_loop(
    asked: list[str], url: str, loop: str
) -> None:
    led = follow_script(Fetched(url, SERVED[url]), {"next-server": "h"})

    assert (loop, "") == (led.loop, led.hands_over)
    assert len(asked) < 8


def test_scripts_that_lead_on_without_end_are_a_loop(asked: list[str]) -> None:
    for number in range(100):
        SERVED[f"http://h/n{number}"] = b"#!ipxe\nchain http://h/n%d\n" % (number + 1)
    led = follow_script(Fetched("http://h/n0", SERVED["http://h/n0"]), {})

    assert led.loop.endswith("http://h/n8")
    assert len(asked) < 40


def test_a_script_that_starts_another_ipxe_hands_over_to_it(asked: list[str]) -> None:
    led = follow_script(Fetched("http://h/update", SERVED["http://h/update"]), {})

    assert led.hands_over == "http://h/ipxe.efi"
    assert asked[-1] == "http://h/ipxe.efi 0 redirects"


@pytest.mark.parametrize("url", ["http://h/menu", "http://h/if"])
def test_what_a_person_or_the_machine_chooses_is_no_loop(asked: list[str], url: str) -> None:
    assert follow_script(Fetched(url, SERVED[url]), {}).loop == ""
    assert asked


def test_a_script_that_came_by_tftp_names_files_of_its_server(asked: list[str]) -> None:
    follow_script(Fetched("boot.ipxe", b"#!ipxe\nkernel vmlinuz\n"), {}, server="10.0.0.9")

    assert asked == ["10.0.0.9 vmlinuz"]


def test_a_program_that_is_no_script_leads_to_the_default_image(asked: list[str]) -> None:
    """By HTTP, the largest file first."""
    fetch_parts(KIND["uefi-x86"], EXPECTED)

    assert asked == [
        "http://10.0.0.2:8081/v/pe/1/boot.wim 4096 redirects",
        "http://10.0.0.2:8081/v/pe/1/vmlinuz 4096 redirects",
    ]


def test_images_are_read_to_their_end_when_asked(asked: list[str]) -> None:
    """Every byte is compared then."""
    fetch_parts(KIND["uefi-x86"], EXPECTED, whole=True)

    assert asked[0] == "http://10.0.0.2:8081/v/pe/1/boot.wim whole redirects"


def test_without_a_list_or_an_image_nothing_is_known_of_what_follows(asked: list[str]) -> None:
    """A program's inside is its own."""
    assert fetch_parts(KIND["uefi-x86"], Expectation()) == ()
    assert fetch_parts(KIND["uefi-x64"], EXPECTED) == ()
    assert asked == []


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("x.efi", "10.0.0.3 x.efi"),
        ("http://10.0.0.4/x.efi", "http://10.0.0.4/x.efi 0"),
        ("tftp://10.0.0.4/x.efi", "10.0.0.4 x.efi"),
    ],
)
def test_a_program_comes_from_where_the_offer_says(asked: list[str], file: str, where: str) -> None:
    """By TFTP from the next server, or from the URL."""
    reply = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.3", file, "PXEClient")
    fetch_program(reply, KIND["uefi-x64"])

    assert asked == [where]
    assert fetch_program(None, KIND["uefi-x64"]) is None


def test_ipxe_follows_redirects_and_firmware_does_not(asked: list[str]) -> None:
    url = "http://10.0.0.4/x"
    reply = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.3", url, "PXEClient")
    for key in ("ipxe-x64", "http-x64"):
        fetch_program(reply, KIND[key])

    assert asked == [f"{url} 0 redirects", f"{url} 0"]


def test_scripts_know_the_machine_and_its_server() -> None:
    reply = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.3", "x", "PXEClient")
    known = known_to_ipxe(reply, "02:6e:62:00:00:01")

    assert (known["next-server"], known["net0/mac"]) == ("10.0.0.3", "02:6e:62:00:00:01")
    assert known["mac:hexhyp"] == "02-6e-62-00-00-01"
