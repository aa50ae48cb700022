import pytest

from netboot.boot.told.events import Discovered, PeReported
from netboot.daemons.projector import catch_up
from netboot.images.architecture import Architecture
from netboot.operations.deployments import deployments as policy
from netboot.operations.machines import image_choice as machine_images
from netboot.operations.machines import machines
from netboot.operations.machines.image_choice import decider
from tests.support.content import assign, serve, version_of

MAC = "52:54:00:77:00:00"
X64, X86 = "Lab PE x64", "Lab PE x86"


def seen(site, *, firmware="bios", architecture="x86", mac=MAC):
    site.journal.emit(
        Discovered(at=1.0, mac=mac, architecture=architecture, firmware=firmware, stage="firmware")
    )
    assert site.journal.flush()
    catch_up(site)
    return machines.get_machine(site, mac)


@pytest.fixture
def defaulted(site):
    """A site with a default image for each architecture, both of them distributed."""
    policy.set_default(site, X64, Architecture.X64)
    policy.set_default(site, X86, Architecture.X86)
    serve(site, version_of(site, image=X64, architecture=Architecture.X64), default=False)
    serve(site, version_of(site, image=X86, architecture=Architecture.X86), default=False)
    return site


def test_a_bios_has_both_defaults_before_its_processor_is_known(defaulted):
    """The 64-bit image comes first; the reasons are those of the boot log."""
    decision = decider(defaulted)(seen(defaulted))

    assert decision.images == (X64, X86)
    assert decision.reasons == (
        "Lab PE x64 v1 is the default for x64",
        "Lab PE x86 v1 is the default for x86",
    )


def test_a_bios_that_reported_from_a_64_bit_image_has_one_default(defaulted):
    """Its own report told what its processor is."""
    seen(defaulted)
    defaulted.journal.emit(
        PeReported(
            at=2.0, mac=MAC, image=X64, version=1, driver="e1000.inf", device="8086:100e",
            architecture="x64", devices="8086:100e:0200:11001af4",
        )
    )  # fmt: skip
    assert defaulted.journal.flush()
    catch_up(defaulted)

    assert decider(defaulted)(machines.get_machine(defaulted, MAC)).images == (X64,)


@pytest.mark.parametrize(("architecture", "image"), [("x64", X64), ("x86", X86)])
def test_uefi_gets_only_what_its_firmware_can_start(defaulted, architecture, image):
    """A 32-bit firmware starts no 64-bit image, and the other way round."""
    machine = seen(defaulted, firmware="uefi", architecture=architecture)

    assert (image,) == decider(defaulted)(machine).images


def test_an_architecture_without_a_default_gets_nothing_and_is_told_why(defaulted):
    """The reason is what the boot log would say."""
    decision = decider(defaulted)(seen(defaulted, firmware="uefi", architecture="arm64"))

    assert (decision.images, decision.reasons) == ((), ("no default image for arm64",))


def test_an_image_of_its_own_wins_even_before_it_is_distributed(defaulted):
    """It counts for what the machine will get; the reasons say that it does not get it yet."""
    with defaulted.database.writing() as session:
        session.add(policy.DeploymentRow(mac=MAC, image_name="Special", comment="", changed_at=1.0))
    assign(defaulted, MAC, "Special")
    decision = decider(defaulted)(seen(defaulted))

    assert decision.images == ("Special",)
    assert (f"{MAC} is assigned 'Special', which is not published here",) == decision.reasons


def test_a_default_that_was_not_distributed_yet_counts(site):
    """Coverage is told before the first distribution, and so it can be mended before."""
    policy.set_default(site, X64, Architecture.X64)
    decision = decider(site)(seen(site))

    assert decision.images == (X64,)
    assert "not published here" in decision.reasons[0]


def test_a_list_by_hand_gets_no_image(defaulted):
    """It is no machine that could ask; it is held against every image."""
    machine = machines.import_devices(defaulted, "new laptops", "PCI\\VEN_8086&DEV_15BE").machine
    decision = decider(defaulted)(machine)

    assert not machine_images.boots_from_network(machine)
    assert (decision.images, "every image" in decision.reasons[0]) == ((), True)


def test_a_machine_that_never_asked_may_get_any_default(defaulted):
    """Its devices are known, its firmware is not: it is held against all of them."""
    machine = machines.import_devices(defaulted, MAC.upper(), "PCI\\VEN_8086&DEV_15BE").machine
    decision = decider(defaulted)(machine)

    assert machine_images.boots_from_network(machine)
    assert (decision.images, decision.reasons) == ((X64, X86), (machine_images.NEVER_ASKED,))
    with defaulted.database.writing() as session:
        session.add(policy.DeploymentRow(mac=MAC, image_name="Special", comment="", changed_at=1.0))
    assert decider(defaulted)(machine).images == ("Special",)
