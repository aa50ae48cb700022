"""All errors on one page: whose fault it is decides what happens next.

NetbootError
├── PeerFault              the peer sent something wrong: count it, answer or drop it, continue
│   ├── ProtocolError      malformed or unexpected bytes on the wire
│   └── FormatError        malformed bytes in a file
├── OperatorFault          the request is not possible: message and hint, exit code 2
│   ├── NotFound           no such image, driver, version, machine
│   ├── AlreadyExists      the name is taken
│   ├── InvalidInput       a file or value that is not valid
│   │   └── Quarantined    a file that is dangerous to open
│   ├── DriverNotEnabled   a driver must be enabled before it is added
│   ├── WrongArchitecture  image, its programs or its drivers have different architectures
│   ├── NotBootCritical    not a network or storage driver: needs confirmation
│   ├── SecretsFound       an image contains secrets that are not accepted
│   ├── InUse              something else still needs it
│   ├── EditConflict       another user changed it first
│   ├── TooManyAttempts    too many failed attempts: wait
│   ├── NotPermitted       the system denies access (ports, namespaces, files)
│   ├── PortTaken          another program uses the port
│   ├── SiteAlreadyRunning a second copy of the site on one data folder
│   ├── DatabaseFault      the database does not answer now: a later try may succeed
│   ├── DiskFault          a disk is full or fails: nothing of what was tried stays
│   └── MissingTool        a required program is not installed
└── ContentFault           stored content is damaged or missing: 503, never 404
    ├── DigestMismatch     a blob does not match its digest
    └── BlobMissing        a blob that a version needs is missing

Anything else is a bug and shows its traceback.
"""

from dataclasses import dataclass


class NetbootError(Exception):
    """The base class of all errors that netboot raises on purpose."""


class PeerFault(NetbootError):
    """The other side sent something wrong; never fatal."""


class ProtocolError(PeerFault):
    """Malformed or unexpected bytes on the wire."""


class FormatError(PeerFault):
    """Malformed bytes in a file."""


class OperatorFault(NetbootError):
    """The request is not possible.

    `hint` says what to do next; it is shown on its own line.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotFound(OperatorFault):
    """No such thing."""


class AlreadyExists(OperatorFault):
    """The name is taken."""


class InvalidInput(OperatorFault):
    """A file or value that is not valid."""


class Quarantined(InvalidInput):
    """A file that is dangerous to open; it is not stored."""


class DriverNotEnabled(OperatorFault):
    """A driver must be enabled in the catalog before it can be added to an image."""


class WrongArchitecture(OperatorFault):
    """An image, its programs and its drivers do not share an architecture."""


class NotBootCritical(OperatorFault):
    """The driver is not for network or storage; adding it needs confirmation."""


class SecretsFound(OperatorFault):
    """An image contains secrets that are not accepted, so it is not published."""


class InUse(OperatorFault):
    """Something else still needs it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field with conflicting changes: your value and the current value.

    `base` is the value when you read it, None if that is no longer known.
    """

    field: str
    yours: str
    theirs: str
    base: str | None = None


class EditConflict(OperatorFault):
    """Another user changed it after it was read.

    `difference` lists the fields that differ. `current` is the current state as plain values and
    its tag, where the caller knows them.
    """

    def __init__(
        self, message: str, *, hint: str = "", difference: tuple[Difference, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.difference = difference
        self.current: tuple[dict[str, object] | None, str] = (None, "")


class TooManyAttempts(OperatorFault):
    """Too many failed attempts; `seconds` is how long to wait."""

    def __init__(self, message: str, *, hint: str = "", seconds: float) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds


class NotPermitted(OperatorFault):
    """The system denies access: ports, namespaces, files."""


class PortTaken(OperatorFault):
    """Another program uses a port that netboot needs."""


class SiteAlreadyRunning(OperatorFault):
    """A second copy of the site was started on the same data folder."""


class DatabaseFault(OperatorFault):
    """The database does not answer, is locked or is full: a later try may succeed."""


class DiskFault(OperatorFault):
    """A disk is full, read-only or fails; nothing of what was tried stays on it."""


class MissingTool(OperatorFault):
    """A required program is not installed."""


class ContentFault(NetbootError):
    """Stored content is damaged or missing: refuse to serve it."""


class DigestMismatch(ContentFault):
    """A blob does not match its digest."""


class BlobMissing(ContentFault):
    """A blob that a version needs is missing."""


def sentence(text: str) -> str:
    """The text with a capital letter at its start and one full stop at its end."""
    text = text.strip()
    if not text:
        return text
    is_setting = "_" in text.partition(" ")[0]  # the name of a setting is written as it is set
    first = text[0] if is_setting else text[0].upper()
    return first + text[1:] + ("" if text[-1] in ".!?…" else ".")


def explained(fault: NetbootError) -> str:
    """A fault's message and hint as full sentences, for one line."""
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    return f"{sentence(str(fault))} {sentence(hint)}".strip()
