"""All that can go wrong, on one page: whose fault it is decides what happens next.

NetbootError
├── PeerFault              the peer sent something wrong: count it, answer or drop it, go on
│   ├── ProtocolError      malformed or unexpected bytes on the wire
│   └── FormatError        malformed bytes in a file that somebody handed us
├── OperatorFault          the operator asked for what cannot be: two lines, exit code 2
│   ├── NotFound           no such image, driver, version, machine
│   ├── AlreadyExists      the name is taken
│   ├── InvalidInput       a file or a value that cannot be used
│   │   └── Quarantined    a file that could harm whoever opens it
│   ├── DriverNotEnabled   a driver must be enabled before it is added
│   ├── WrongArchitecture  driver and image do not fit
│   ├── NotBootCritical    neither network nor storage: needs a second word
│   ├── SecretsFound       an image holds secrets that nobody has accepted
│   ├── InUse              something else still needs it
│   ├── EditConflict       somebody else changed it first
│   ├── NotPermitted       the system refuses us (ports, namespaces, files)
│   ├── PortTaken          another program answers there
│   ├── SiteAlreadyRunning a second copy of the site on one data folder
│   └── MissingTool        a program of the system that is not installed
└── ContentFault           what we hold is not what it should be: 503, never 404
    ├── DigestMismatch     a blob's bytes are not those that its name promises
    └── BlobMissing        a blob that a version names is gone

Anything else is a bug of ours and shows its traceback.
"""

from dataclasses import dataclass


class NetbootError(Exception):
    """The root of everything that netboot raises on purpose."""


class PeerFault(NetbootError):
    """The other side sent something wrong; never fatal."""


class ProtocolError(PeerFault):
    """Malformed or unexpected bytes on the wire."""


class FormatError(PeerFault):
    """Malformed bytes in a file."""


class OperatorFault(NetbootError):
    """The operator asked for what cannot be done.

    `hint` says what to do next; it is shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotFound(OperatorFault):
    """No such thing."""


class AlreadyExists(OperatorFault):
    """The name is taken."""


class InvalidInput(OperatorFault):
    """A file or value that cannot be used."""


class Quarantined(InvalidInput):
    """A file that could harm whoever opens it; kept out of the catalog."""


class DriverNotEnabled(OperatorFault):
    """A driver must be enabled in the catalog before it can be added to an image."""


class WrongArchitecture(OperatorFault):
    """Driver and image do not share an architecture."""


class NotBootCritical(OperatorFault):
    """The driver is neither for network nor for storage; adding it needs a second word."""


class SecretsFound(OperatorFault):
    """An image holds secrets that nobody has accepted, so it is not published."""


class InUse(OperatorFault):
    """Something else still needs it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that two people want differently: what you sent, and what stands there now.

    `base` is what stood there when you read it, None where that is not known any more.
    """

    field: str
    yours: str
    theirs: str
    base: str | None = None


class EditConflict(OperatorFault):
    """Somebody else changed it since it was read.

    `difference` says where what was sent differs from what stands there now.
    """

    def __init__(
        self, message: str, *, hint: str = "", difference: tuple[Difference, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.difference = difference


class NotPermitted(OperatorFault):
    """The system refuses us: ports, namespaces, files."""


class PortTaken(OperatorFault):
    """Another program answers on a port that we need."""


class SiteAlreadyRunning(OperatorFault):
    """A second copy of the site was started on the same data folder."""


class MissingTool(OperatorFault):
    """A program of the system that is not installed."""


def sentence(text: str) -> str:
    """A message as a sentence: capital letter, full stop."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def explained(fault: NetbootError) -> str:
    """A fault's message and hint as full sentences, for one line."""
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    return f"{sentence(str(fault))} {hint}".strip()


class ContentFault(NetbootError):
    """What we hold is not what it should be: refuse to serve it."""


class DigestMismatch(ContentFault):
    """A blob's bytes are not those that its name promises."""


class BlobMissing(ContentFault):
    """A blob that a version names is gone."""
