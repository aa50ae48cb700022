"""What may be published: intact versions, without secrets that were not accepted."""

import time

from netboot.errors import InvalidInput, NotFound, OperatorFault, SecretsFound
from netboot.images.boot_image.secrets import unaccepted
from netboot.operations.images.view import ImageView, get_image, secrets_of
from netboot.site import Site
from netboot.store.images.rows import find_image, secrets_in, version_row

REASON_LIMIT = 500
SHOWN = 5


def accept_secrets(site: Site, image: str, reason: str, *, by: str) -> ImageView:
    """Let the image be published although it has these secrets; later ones block it again.

    `by` is who accepts them. Raises InvalidInput without a reason, NotFound if there is nothing to
    accept.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_LIMIT or not reason.isprintable():
        raise InvalidInput(
            "give a reason why everyone who boots the image may read these secrets",
            hint=f"One line of at most {REASON_LIMIT} characters.",
        )
    with site.database.writing() as session:
        row = find_image(session, image)
        name = row.name
        known = sorted({secret.sentence for secret in secrets_of(row)})
        if not known:
            raise NotFound(f"no secret was found in {name}")
        row.override = {"accepted": known, "reason": reason, "by": by, "at": time.time()}
    return get_image(site, name)


def require_publishable(site: Site, image: str, number: int) -> None:
    """Refuse to hand out a version, by network or on media.

    Raises OperatorFault for one that is out of service, SecretsFound for secrets that were not
    accepted.
    """
    with site.database.transaction() as session:
        row = find_image(session, image)
        name, version = row.name, version_row(row, number)
        altered = ", ".join(version.altered)
        found = unaccepted(secrets_in(version), row.override.get("accepted", ()))
    if altered:
        raise OperatorFault(
            f"{name} v{number} is out of service: {altered} was altered on the disk",
            hint=f'Build it again: netboot image build "{name}"',
        )
    if found:
        shown = "; ".join(secret.sentence for secret in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise SecretsFound(
            f"{name} v{number} holds secrets that everyone who boots it can read: {shown}{more}",
            hint="Remove them, or accept them with a reason:"
            f' netboot image accept-secrets "{name}" --reason "…"',
        )
