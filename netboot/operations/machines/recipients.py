"""Who gets an image at the next boot: by default, by assignment, and how many known machines."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from netboot.images.architecture import Architecture
from netboot.operations.deployments import deployments as policy
from netboot.operations.images.view import ImageView
from netboot.operations.machines.image_choice import decider
from netboot.site import Site
from netboot.store.boots import machines as machine_rows


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who gets an image.

    `default` is the default image of its architecture, empty if there is none. `assigned` is the
    number of MAC addresses that it is assigned to, `machines` the number of known machines that
    get it, assigned or by default.
    """

    image: str
    architecture: Architecture
    default: str
    assigned: int
    machines: int

    @property
    def is_default(self) -> bool:
        return self.default == self.image

    @property
    def anyone(self) -> bool:
        """Whether any machine would get it."""
        return self.is_default or self.assigned > 0

    @property
    def words(self) -> str:
        """As one sentence."""
        if not self.anyone:
            instead = (
                f"{self.default} is the default for {self.architecture}"
                if self.default
                else f"there is no default for {self.architecture}"
            )
            return f"No machine gets it: {instead}, and it is assigned to no machine."
        how = [f"the default for {self.architecture} machines"] if self.is_default else []
        if self.assigned:
            how.append(f"assigned to {_machines(self.assigned)}")
        return f"It is {' and '.join(how)}; {_known(self.machines)}."


def who_gets(site: Site, image: ImageView) -> Recipients:
    """Who gets this image."""
    return recipients(site, (image,))[image.name]


def recipients(site: Site, images: Collection[ImageView]) -> dict[str, Recipients]:
    """Who gets each of these images, by name."""
    defaults = policy.defaults(site)
    assigned = Counter(policy.assigned_counts(site))
    known = assigned + _by_default(site)
    return {
        image.name: Recipients(
            image=image.name,
            architecture=image.architecture,
            default=defaults.get(image.architecture, ""),
            assigned=assigned[image.name],
            machines=known[image.name],
        )
        for image in images
    }


def _by_default(site: Site) -> Counter[str]:
    """How many known machines get each image because it is a default.

    A BIOS may get either of two images until its processor is known: it is counted for the first.
    """
    with site.database.transaction() as session:
        numbers = dict(machine_rows.kinds(session))
        examples = machine_rows.find(session, list(numbers))
    decide = decider(site, examples)
    found: Counter[str] = Counter()
    for machine in examples:
        for image in decide(machine).images[:1]:
            found[image] += numbers[machine.key]
    return found


def _machines(number: int) -> str:
    return f"{number} machine{'s' if number != 1 else ''}"


def _known(number: int) -> str:
    if not number:
        return "no machine that gets it is known yet"
    return f"{_machines(number)} get{'s' if number == 1 else ''} it"
