"""Deployments over the API: machines with an assigned boot image."""

from pydantic import BaseModel, Field

from netboot.operations.deployments import deployments as operations
from web.api.subject import Listed, Order, Page, Subject, Value, page_of
from web.guard.access import Role, site

deployments = Subject("deployments", "Boot images assigned to machines.")


class MacPath(BaseModel):
    """A machine by its MAC address, in any notation."""

    mac: str = Field(min_length=12, max_length=20)


class Deployment(Value):
    """The boot image assigned to a machine, by name and not by version."""

    mac: str
    image: str
    comment: str


class Deployments(Listed[Deployment]):
    """A page of deployments, sorted by MAC address; `defaults` apply to all other machines."""

    defaults: dict[str, str]


class ImageForMachine(Order):
    """The boot image to assign."""

    image: str = Field(min_length=1, max_length=100)
    comment: str = Field("", max_length=2000)


@deployments.verb("GET", "", needs=Role.VIEWER)
def list_deployments(query: Page) -> Deployments:
    """List all deployments and the default images."""
    found = operations.deployments(site())
    defaults = {key.value: image for key, image in operations.defaults(site()).items()}
    return Deployments(**dict(page_of(Deployment, found, query)), defaults=defaults)


@deployments.verb("PUT", "/<mac>", needs=Role.OPERATOR, action="deploy")
def deploy_image(path: MacPath, body: ImageForMachine) -> Deployment:
    """Assign a boot image to a machine."""
    return Deployment.of(operations.deploy(site(), path.mac, body.image, comment=body.comment))


@deployments.verb("DELETE", "/<mac>", needs=Role.OPERATOR, action="withdraw")
def withdraw_image(path: MacPath) -> None:
    """Remove the deployment; the machine gets the default image again."""
    operations.withdraw(site(), path.mac)
