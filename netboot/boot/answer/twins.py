"""The short cut for a boot storm: machines of one kind ask in the same words.

Their first DISCOVERs differ in the transaction id, the seconds, the MAC address, the machine id
and the client id, and nothing else. Once one of them has been read, understood and answered,
another is recognised by comparing bytes, and answered by copying the answer with its own ids.

Law: a twin gets, byte for byte, what the long way would have given it; tests compare the two.
Only what cannot depend on the machine is remembered: no personal URL, no assigned image, no
second try, nothing that was odd about the request.
"""

from typing import Final, Generic, NamedTuple, TypeVar

from netboot.boot.answer.client import BootClient, Stage
from netboot.protocols.dhcp import HEADER_SIZE, MessageType, Option
from netboot.protocols.pxe import machine_id

T = TypeVar("T")

_PATTERNS_PER_SIZE: Final = 8  # kinds of machine whose requests have the same length
_SIZES: Final = 64
_MAC: Final = slice(28, 34)
_XID: Final = slice(4, 8)
_MACHINE_ID_SIZE: Final = 17


class Pattern(NamedTuple):
    """A request with holes for the ids of its sender, and the answer likewise.

    `fixed` are the stretches between the holes: start, end, bytes.
    """

    fixed: tuple[tuple[int, int, bytes], ...]
    machine_id_at: int
    answer: tuple[bytes, bytes, bytes, bytes]
    answer_has_machine_id: bool

    def fits(self, data: bytes) -> bool:
        """Whether `data`, of the same length, is this request from some machine."""
        for start, end, expected in self.fixed:  # noqa: SIM110 - all() takes half as long again
            if data[start:end] != expected:
                return False
        return True

    def answer_to(self, data: bytes) -> bytes:
        """The answer for the machine that sent `data`."""
        head, middle, before, after = self.answer
        own_id = b""
        if self.answer_has_machine_id:
            own_id = data[self.machine_id_at : self.machine_id_at + _MACHINE_ID_SIZE]
        return b"".join((head, data[_XID], middle, data[_MAC], before, own_id, after))

    def machine_id(self, data: bytes) -> str:
        """The machine's id, as `client.identify` gives it."""
        if not self.machine_id_at:
            return ""
        return machine_id(data[self.machine_id_at : self.machine_id_at + _MACHINE_ID_SIZE])


class Twins(Generic[T]):
    """Patterns by the length of the request, each with what its owner wants to know again."""

    def __init__(self) -> None:
        self._patterns: dict[int, list[tuple[Pattern, T]]] = {}

    def clear(self) -> None:
        """Forget all: what is served has changed."""
        self._patterns.clear()

    def find(self, data: bytes) -> tuple[Pattern, T] | None:
        """The pattern that `data` is an instance of."""
        for known in self._patterns.get(len(data), ()):
            if known[0].fits(data):
                return known
        return None

    def remember(self, data: bytes, answer: bytes, keep: T) -> None:
        """Recognise requests like `data` from now on; the newest kinds stay."""
        pattern = make_pattern(data, answer)
        if pattern is None or (len(data) not in self._patterns and len(self._patterns) >= _SIZES):
            return
        known = self._patterns.setdefault(len(data), [])
        known.insert(0, (pattern, keep))
        del known[_PATTERNS_PER_SIZE:]


def may_have_twins(client: BootClient) -> bool:
    """Whether the answer to this client could be anybody's of its kind."""
    return (
        client.message is MessageType.DISCOVER
        and client.stage is not Stage.IPXE
        and not client.notes
    )


def make_pattern(data: bytes, answer: bytes) -> Pattern | None:
    """The pattern of a request and its answer; None where their layout is unusual."""
    request_holes = _holes(data)
    answer_holes = _holes(answer)
    if request_holes is None or answer_holes is None:
        return None
    machine_id_at = request_holes.get(Option.MACHINE_ID, 0)
    own_id_at = answer_holes.get(Option.MACHINE_ID, 0)
    cut = own_id_at or len(answer)
    return Pattern(
        fixed=_stretches(data, request_holes),
        machine_id_at=machine_id_at,
        answer=(
            answer[:4],
            answer[8:28],
            answer[34:cut],
            answer[cut + _MACHINE_ID_SIZE :] if own_id_at else b"",
        ),
        answer_has_machine_id=bool(own_id_at),
    )


def _holes(data: bytes) -> dict[int, int] | None:
    """Where the values of machine id and client id begin, in a packet with plain options.

    None where an option comes twice or where option 52 or an odd machine id makes it special.
    """
    holes: dict[int, int] = {}
    seen: set[int] = set()
    position = HEADER_SIZE
    while position + 1 < len(data) and data[position] != 255:
        code, size = data[position], data[position + 1]
        if code in seen or code in {0, Option.OVERLOAD}:
            return None
        seen.add(code)
        if code == Option.MACHINE_ID and size != _MACHINE_ID_SIZE:
            return None
        if code in {Option.MACHINE_ID, Option.CLIENT_ID}:
            holes[code] = position + 2
        position += 2 + size
    return holes


def _stretches(data: bytes, holes: dict[int, int]) -> tuple[tuple[int, int, bytes], ...]:
    """What must be the same: all but xid, seconds, MAC and its padding, and the ids' values."""
    gaps = [(4, 10), (28, 44)]
    gaps += [(start, start + data[start - 1]) for start in sorted(holes.values())]
    stretches = []
    position = 0
    for start, end in gaps:
        stretches.append((position, start, data[position:start]))
        position = end
    stretches.append((position, len(data), data[position:]))
    # The options first: there two kinds of machine differ.
    return tuple(reversed([one for one in stretches if one[2]]))
