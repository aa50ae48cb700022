"""Deployments over the API: machines with an image of their own."""

from pydantic import BaseModel, Field

from netboot.operations.deployments import deployments as operations
from web.api.subject import Listed, Order, Page, Subject, Value, listed_of
from web.guard.access import Role, site

deployments = Subject("deployments", "Which machine gets which image.")


class MacPath(BaseModel):
    """A machine by its MAC address, in any spelling."""

    mac: str = Field(min_length=12, max_length=20)


class Deployment(Value):
    """A machine that gets a certain image: by its name, never by a version."""

    mac: str
    image: str
    comment: str


class Deployments(Listed):
    """A part of the deployments, by MAC address; `defaults` are what all others get."""

    items: list[Deployment]
    defaults: dict[str, str]


class ImageForMachine(Order):
    """The image that the machine gets."""

    image: str = Field(min_length=1, max_length=100)
    comment: str = Field("", max_length=2000)


@deployments.verb("GET", "", needs=Role.VIEWER, gives=Deployments)
def list_deployments(query: Page) -> Deployments:
    """All machines with an image of their own, and the defaults of all others."""
    found = operations.deployments(site())
    defaults = {key.value: image for key, image in operations.defaults(site()).items()}
    return listed_of(Deployments, found, query, Deployment.model_validate, defaults=defaults)


@deployments.verb("PUT", "/<mac>", needs=Role.OPERATOR, gives=Deployment, action="deploy")
def deploy_image(path: MacPath, body: ImageForMachine) -> Deployment:
    """Give a machine a certain image."""
    made = operations.deploy(site(), path.mac, body.image, comment=body.comment)
    return Deployment.model_validate(made)


@deployments.verb("DELETE", "/<mac>", needs=Role.OPERATOR, action="withdraw")
def withdraw_image(path: MacPath) -> None:
    """Let a machine get the default again."""
    operations.withdraw(site(), path.mac)
