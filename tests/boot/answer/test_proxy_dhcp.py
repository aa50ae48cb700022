"""The answer to a boot request, as conversations that a network engineer can read.

Files in tests/conversations/dhcp-*.txt: `@` sets the scene, `>` is what a client sends and to
which port, `<` is what we send or why we are silent, `(4 s)` lets time pass. Lines that begin
with `#` are for the reader.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.answer.limits import RecentClients
from netboot.boot.answer.proxy_dhcp import (
    Answer,
    Ignored,
    ProxyDhcp,
    learned_address,
)
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.protocols.dhcp import MessageType, Option, Packet, dotted, from_dotted
from tests.captures import reader
from tests.support.boot_requests import (
    BOTH,
    SERVER,
    SETTINGS,
    X64,
    ipxe,
    published,
    request,
    version,
)

SOURCE = ("0.0.0.0", 68)
CONVERSATIONS = sorted(Path(__file__).parents[1].with_name("conversations").glob("dhcp-*.txt"))


def outcome_of(
    packet: Packet,
    *,
    port: int = 67,
    source: tuple[str, int] = ("0.0.0.0", 68),
    now: float = 1.0,
    content: PublishedContent = BOTH,
) -> Answer | Ignored:
    """What a server that has seen nothing before does about `packet`."""
    return ProxyDhcp(SETTINGS, lambda: content).answer(packet, port, source, now)


def sent(outcome: Answer | Ignored) -> Packet:
    """The packet of an answer."""
    assert isinstance(outcome, Answer)
    return Packet.from_bytes(outcome.payload)


class Scene:
    """One conversation, played line by line."""

    def __init__(self) -> None:
        self.now = 100.0
        self.content = published()
        self.recent = RecentClients()
        self.proxy = ProxyDhcp(SETTINGS, lambda: self.content, recent=self.recent)
        self.outcomes: list[str] = []

    def play(self, line: str) -> None:
        """Do what a line says."""
        match line.split():
            case ["@", "images", *images]:
                self.content = published(*map(image, images))
            case ["@", "address", "offered", "by", server]:
                self.recent.address_offered(request().mac, server)
            case [">", port, source, *words]:
                self.send(int(port), source, words)
            case _ if wait := re.fullmatch(r"\((\d+(?:\.\d+)?) s\)", line):
                self.now += float(wait[1])
            case _:
                raise AssertionError(f"cannot play {line!r}")

    def send(self, port: int, source: str, words: list[str]) -> None:
        """Hand a client's packet to the server and write down what comes of it."""
        address, _, number = source.partition(":")
        outcome = self.proxy.answer(packet_of(words), port, (address, int(number)), self.now)
        self.outcomes.extend(told(outcome))


def image(word: str) -> ContentVersion:
    """`x64:native,linux` as a version that holds what its chains need."""
    architecture, _, chains = word.partition(":")
    files = ("bootmgfw.efi", "pxeboot.n12") if "native" in chains else ()
    return version(Architecture(architecture), chains=tuple(chains.split(",")), files=files)


def packet_of(words: list[str]) -> Packet:
    """`DISCOVER arch=7 relay=10.78.0.1` as a packet."""
    message = MessageType[words[0]]
    said = dict(word.partition("=")[::2] for word in words[1:])
    options = {int(code): bytes.fromhex(value) for code, value in said.items() if code.isdigit()}
    if "ipxe" in said:
        options |= {77: b"iPXE", 175: bytes.fromhex("b105018086100e")}
    return request(
        message=message,
        architecture=int(said.get("arch", "7")),
        vendor_class=said["class"].encode() if "class" in said else None,
        xid=int(said.get("xid", "1")),
        relay=from_dotted(said.get("relay", "0.0.0.0")),
        address=from_dotted(said.get("address", "0.0.0.0")),
        options=options,
    )


def told(outcome: Answer | Ignored) -> Iterator[str]:
    """An outcome in the words of a conversation."""
    if isinstance(outcome, Ignored):
        yield f"< silence: {outcome.reason}"
        return
    packet = sent(outcome)
    address, port = outcome.destination
    words = [f"< {address}:{port} {packet.message_type.name}", packet.options[60].decode()]
    name = packet.options.get(67, b"").rstrip(b"\0").decode()
    field = packet.boot_file.decode()
    words.append(
        f"file={name or '-'}" if name == field else f"67={name or '-'} file={field or '-'}"
    )
    if Option.VENDOR_INFORMATION in packet.options:
        words.append(f"43={packet.options[43].hex()}")
    if Option.BCD_PATH in packet.options:
        words.append(f"252={packet.options[252].decode()!r}")
    if dotted(packet.relay) != "0.0.0.0":
        words.append(f"relay={dotted(packet.relay)}")
    yield " ".join(words)
    if outcome.warning:
        yield f"< warning: {outcome.warning}"


@pytest.mark.parametrize("path", CONVERSATIONS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path) -> None:
    """Every `<` line is what we do, and there is no other."""
    scene = Scene()
    expected = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("<"):
            expected.append(line)
        elif line and not line.startswith("#"):
            scene.play(line)

    assert scene.outcomes == expected


# What was tried with real firmware and worked: the shape in which it took its boot file.
TAKEN = {
    "bios-plainpxe-emulated-undionly-chain": ("undionly.kpxe", "http://"),
    "bios-x64-seabios-ipxerom": ("http://",),
    "uefi32-edk2-native-grub": ("grubia32.efi",),
    "uefi32-httpboot-grub": ("http://",),
    "uefi64-edk2-native-4011": ("snponly.efi", "http://"),
    "uefi64-edk2-native-snponly": ("snponly.efi", "http://"),
    "uefi64-httpboot-snponly": ("http://", "http://"),
    "uefi64-ipxe-efi-rom-e1000": ("http://",),
}


@pytest.mark.parametrize("name", reader.captures())
def test_every_captured_request_gets_the_answer_that_is_known_to_work(name: str) -> None:
    """DISCOVERs on 67 and REQUESTs on 4011, of real firmware, from its first try on."""
    answers = []
    for datagram in reader.dhcp(name):
        packet = Packet.from_bytes(datagram.payload)
        if packet.op == 1 and packet.options.get(60, b"").startswith((b"PXEC", b"HTTPC")):
            port = datagram.destination[1]
            found = outcome_of(packet, port=port, source=datagram.source, now=datagram.at)
            if isinstance(found, Answer):
                answers.append(found)
            else:
                assert packet.message_type is MessageType.REQUEST
                assert port == 67

    files = tuple(dict.fromkeys(one.file.split("://")[0] + "://" if "://" in one.file else one.file
                                for one in answers))  # fmt: skip
    assert files == tuple(dict.fromkeys(TAKEN.get(name, files)))
    for one in answers:
        packet = sent(one)
        assert packet.options[54] == packet.next_server == from_dotted(SERVER)
        assert packet.options[97] == b"\0" * 17  # as these machines sent it


def test_the_reasons_for_an_answer_are_told() -> None:
    """Image, program and shape."""
    outcome = outcome_of(request())

    assert isinstance(outcome, Answer)
    assert outcome.reason == (
        "Lab PE x64 v7 is the default for x64; "
        "64-bit UEFI PC, linux chain: snponly.efi; "
        "UEFI PXE uses the OFFER's file only if option 43 says so"
    )


def test_a_new_snapshot_is_answered_from_at_once() -> None:
    """Nothing of the state before is remembered."""
    content = [BOTH]
    proxy = ProxyDhcp(SETTINGS, lambda: content[0])
    first = proxy.answer(request(), 67, SOURCE, 1.0)
    content[0] = published(version(number=8))
    second = proxy.answer(request(xid=2), 67, SOURCE, 1.0)

    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.version.number, second.version.number) == (7, 8)


MODEL = [bytes.fromhex(f"52540077000{number}") for number in range(1, 5)]
MARKED, OWN, PLAIN, OTHER = (mac.hex(":") for mac in MODEL)
HELD_2011 = replace(
    version(chains=("native", "wimboot"), files=("bootmgfw.efi",)),
    uefi_loaders=(("2011", "bootmgfw.efi"),),
)
SPECIAL = version(image="Special", number=2)
MIXED = replace(
    published(HELD_2011, SPECIAL, defaults={Architecture.X64: HELD_2011.image}),
    assignments={OWN: "Special"},
    authorities={MARKED: "2023"},
    supplied={"wimboot": HELD_2011.files[0]},
)
"""Four machines of one model: one needs a loader of 2023, one has an image of its own."""


@pytest.mark.parametrize("order", list(permutations(MODEL)))
def test_machines_of_one_model_get_their_own_program_in_every_order(order) -> None:
    """One needs a loader of 2023, one has an image of its own, two have the default."""
    proxy = ProxyDhcp(SETTINGS, lambda: MIXED)
    found = {}
    for now, mac in enumerate(order):
        outcome, *_ = proxy.receive(bytes(request(mac=mac)), 67, SOURCE, now)
        assert outcome == outcome_of(request(mac=mac), content=MIXED)
        assert isinstance(outcome, Answer)
        found[mac.hex(":")] = (outcome.file, outcome.version.image)

    assert found == {
        MARKED: ("snponly.efi", HELD_2011.image),
        OWN: ("snponly.efi", "Special"),
        PLAIN: ("bootmgfw.efi", HELD_2011.image),
        OTHER: ("bootmgfw.efi", HELD_2011.image),
    }


def test_a_marked_machine_that_no_program_fits_stays_refused_after_one_of_its_model() -> None:
    """Without wimboot the image has only the loader of 2011."""
    content = replace(MIXED, supplied={}, assignments={})
    proxy = ProxyDhcp(SETTINGS, lambda: content)
    first, refused, last = (
        proxy.answer(request(mac=mac), 67, SOURCE, 1.0) for mac in (MODEL[2], MODEL[0], MODEL[3])
    )

    assert isinstance(first, Answer)
    assert isinstance(refused, Ignored)
    assert "contains no UEFI boot loader signed by Windows UEFI CA 2023" in refused.reason
    assert isinstance(last, Answer)
    assert first.file == last.file == "bootmgfw.efi"


states = st.builds(
    lambda assignments, authorities, number, loaders, wimboot: replace(
        published(
            replace(HELD_2011, number=number, uefi_loaders=loaders),
            SPECIAL,
            defaults={Architecture.X64: HELD_2011.image},
        ),
        assignments=assignments,
        authorities=authorities,
        supplied={"wimboot": HELD_2011.files[0]} if wimboot else {},
    ),
    st.dictionaries(st.sampled_from([MARKED, OWN]), st.sampled_from(["Special", "Gone"])),
    st.dictionaries(st.sampled_from([MARKED, PLAIN]), st.sampled_from(["2011", "2023"])),
    st.integers(1, 3),
    st.sampled_from([(("2011", "bootmgfw.efi"),), (("2023", "bootmgfw.efi"),), ()]),
    st.booleans(),
)
steps = st.lists(
    st.one_of(states, st.builds(
        lambda make, mac, code: make(mac=mac, architecture=code),
        st.sampled_from([request, ipxe]), st.sampled_from(MODEL), st.sampled_from([0, 7, 16]),
    )),
    max_size=20,
)  # fmt: skip


@given(steps)
def test_nothing_that_was_answered_before_changes_what_another_machine_is_answered(steps) -> None:
    """Over publications, policies and marks that change between the requests."""
    content = [MIXED]
    proxy = ProxyDhcp(SETTINGS, lambda: content[0])
    for number, step in enumerate(steps):
        if isinstance(step, PublishedContent):
            content[0] = step
            continue
        packet, now = step._replace(xid=number), 1000.0 * number  # a boot of its own each time
        assert proxy.answer(packet, 67, SOURCE, now) == outcome_of(packet, content=content[0])


def test_ipxe_of_two_machines_gets_two_urls() -> None:
    """The program is the same; its URL names the machine."""
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    files = set()
    for last in (1, 2):
        outcome = proxy.answer(ipxe(mac=b"\x52\x54\0\0\0" + bytes((last,))), 67, SOURCE, 1.0)
        assert isinstance(outcome, Answer)
        files.add(outcome.file.partition("?")[2].partition("&")[0])

    assert files == {"mac=52:54:00:00:00:01", "mac=52:54:00:00:00:02"}


@pytest.mark.parametrize(
    ("packet", "address"),
    [
        (request(message=MessageType.REQUEST, options={50: b"\x0a\x4d\0\x63"}), "10.77.0.99"),
        (request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x62"), "10.77.0.98"),
        (request(message=MessageType.REQUEST, options={50: b"\x0a"}), ""),
        (request(options={50: b"\x0a\x4d\0\x63"}), ""),
    ],
)
def test_a_request_tells_which_address_a_machine_takes(packet: Packet, address: str) -> None:
    """By option 50, or by ciaddr once it has one; a DISCOVER only dreams."""
    assert learned_address(packet) == address


def test_any_datagram_has_an_outcome() -> None:
    """The daemon hands over bytes and gets a value back."""
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    data = b"default send string"
    outcome, packet, _ = proxy.receive(data, port=67, source=("1.2.3.4", 9), now=0.0)

    assert outcome == Ignored(
        reason="its request cannot be read: 19 bytes are less than a DHCP header",
        notable=False,
        malformed=True,
    )
    assert packet is None


def test_a_boot_request_that_cannot_be_read_is_worth_a_word() -> None:
    """With its machine; the broken packet of another host is not, and a group has no machine."""
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    cut = bytes(request())[:240] + b"\x3c\x09PXEClient\x5d\xff"

    def told(data: bytes) -> tuple[bool, str]:
        outcome, *_ = proxy.receive(data, port=67, source=("0.0.0.0", 68), now=0.0)
        assert isinstance(outcome, Ignored)
        return outcome.notable, outcome.mac

    assert told(cut) == (True, "52:54:00:77:00:01")
    assert told(cut[:28] + b"\xff" * 6 + cut[34:]) == (True, "")
    assert told(cut.replace(b"PXE", b"xxx")) == (False, "")
    assert told(b"\2" + cut[1:]) == (False, "")


requests = st.builds(
    request,
    message=st.sampled_from(MessageType),
    architecture=st.one_of(st.none(), st.integers(0, 45)),
    vendor_class=st.sampled_from([None, b"PXEClient", b"HTTPClient:Arch:00016", b"MSFT 5.0", b""]),
    mac=st.binary(min_size=6, max_size=6),
    relay=st.sampled_from([bytes(4), b"\x0a\x4e\0\1", b"\x08\x08\x08\x08"]),
    address=st.sampled_from([bytes(4), b"\x0a\x4d\0\x63", b"\x08\x08\x08\x08"]),
    options=st.dictionaries(st.integers(1, 254), st.binary(max_size=40), max_size=5),
)


@given(
    requests,
    st.sampled_from([67, 4011]),
    st.tuples(
        st.sampled_from(["0.0.0.0", "10.77.0.99", "10.78.0.9", "8.8.8.8"]),
        st.sampled_from([68, 67, 4011, 53, 40000]),
    ),
)
def test_answers_go_only_where_clients_of_ours_can_be(
    packet: Packet, port: int, source: tuple[str, int]
) -> None:
    """Broadcast, an allowed relay, or a client in our own or an allowed network."""
    outcome = outcome_of(packet, port=port, source=source)

    if isinstance(outcome, Answer):
        address, reply_port = outcome.destination
        assert address == "255.255.255.255" or address.startswith(("10.77.0.", "10.78.0."))
        assert reply_port in {67, 68, 4011}
        assert sent(outcome).your_address == bytes(4)
        assert sent(outcome).options[60] in {b"PXEClient", b"HTTPClient"}
        assert packet.options[60].startswith(sent(outcome).options[60])
        assert packet.message_type in {1, 3, 8}


@given(requests)
def test_our_own_answers_are_never_answered(packet: Packet) -> None:
    """Two boot servers that hear each other stay quiet."""
    outcome = outcome_of(packet)

    if isinstance(outcome, Answer):
        echo = outcome_of(sent(outcome))
        assert isinstance(echo, Ignored)
        assert echo.reason == "a server's reply, not a request"


def test_a_chainload_ends_at_the_script() -> None:
    """Firmware, then iPXE, then the script: played until the client has what it runs."""
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    loaded = []
    packet = request(architecture=0)
    for _ in range(5):
        outcome = proxy.answer(packet, 67, SOURCE, 1.0)
        assert isinstance(outcome, Answer)
        loaded.append(outcome.file.partition("?")[0])
        if outcome.file.startswith("http"):
            break
        packet = ipxe(xid=packet.xid + 1)

    assert loaded == ["undionly.kpxe", "http://10.77.0.2:8081/boot.ipxe"]


def test_an_image_that_only_http_boot_cannot_start_says_so() -> None:
    """The native chain is TFTP's."""
    content = published(version(chains=("native",), files=("bootmgfw.efi",)))
    outcome = outcome_of(
        request(architecture=16, vendor_class=b"HTTPClient:Arch:00016"), content=content
    )

    assert isinstance(outcome, Ignored)
    assert outcome.notable
    assert "needs PXE" in outcome.reason


assert X64.label == "Lab PE x64 v7"  # what the conversations call it
