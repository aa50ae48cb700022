"""What an image cannot do although its recipe asks for it."""

from dataclasses import replace

import pytest

from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.boot_image.description import ImageFacts, ImageInWim
from netboot.images.boot_image.properties import ExtraFile, Properties
from netboot.images.drivers.driver import DriverFile, Model
from netboot.images.servicing.plan import plan
from netboot.images.servicing.shortfalls import provides, shortfalls, with_fixes
from tests.samples.drivers import make_driver

X64 = Architecture.X64
DIGEST = "sha256:" + "c" * 64
PROGRAMS = ("cmd.exe", "curl.exe", "drvload.exe", "wpeinit.exe")
FACTS = ImageFacts(
    size=1000,
    index=1,
    images=(ImageInWim(1, "PE"),),
    boot_index=1,
    architecture=X64,
    compression="LZX",
    version="10.0.22621.1",
    startnet="wpeinit\r\n",
    hives=("DEFAULT", "SOFTWARE", "SYSTEM"),
    programs=PROGRAMS,
    services=("disk", "b06bdrv"),
)
REPORTS = Properties(report_home="http://192.0.2.1:8081")


def image_of(*drivers, **properties):
    source = SourceWim("sha256:" + "a" * 64, 1000, 1)
    wanted = Properties(**properties)
    return BootImage("PE x64", "pe-x64", X64, source, drivers, wanted)


def without(program):
    return replace(FACTS, programs=tuple(one for one in PROGRAMS if one != program))


def texts(facts, image):
    return [one.text for one in shortfalls(facts, image)]


NIC = make_driver("e1d")


class TestPrograms:
    def test_a_whole_image_lacks_nothing(self):
        image = image_of(NIC, report_home=REPORTS.report_home, prestart_command="cmd /k")
        assert shortfalls(FACTS, image) == ()

    @pytest.mark.parametrize(
        ("program", "wanted"),
        [
            ("curl.exe", {"report_home": REPORTS.report_home}),
            ("cmd.exe", {"command_shell": True}),
            ("wpeinit.exe", {"prestart_command": "echo hello"}),
        ],
    )
    def test_a_program_that_the_start_calls(self, program, wanted):
        """It is missed only where it is wanted."""
        (found,) = shortfalls(without(program), image_of(**wanted))
        assert program == found.program
        assert program in found.text
        assert shortfalls(without(program), image_of()) == ()

    def test_drivers_need_drvload(self):
        (found,) = shortfalls(without("drvload.exe"), image_of(NIC))
        assert "cannot load the drivers of its recipe" in found.text
        assert shortfalls(without("drvload.exe"), image_of()) == ()

    def test_an_extra_file_brings_the_program(self):
        """In any case, if it is in a folder where Windows looks for programs."""
        curl = ExtraFile("/Windows/System32/CURL.EXE", DIGEST, 1)
        elsewhere = ExtraFile("/Tools/curl.exe", DIGEST, 1)
        wanted = {"report_home": REPORTS.report_home}
        assert shortfalls(without("curl.exe"), image_of(**wanted, extra_files=(curl,))) == ()
        assert (
            len(shortfalls(without("curl.exe"), image_of(**wanted, extra_files=(elsewhere,)))) == 1
        )

    def test_of_an_image_from_an_older_version_nothing_is_claimed(self):
        """Until its next build, which reads what is not known."""
        facts = replace(FACTS, programs=None, services=None)
        assert shortfalls(facts, image_of(NIC, report_home=REPORTS.report_home)) == ()

    def test_the_build_says_it_too(self):
        image = image_of(NIC, report_home=REPORTS.report_home)
        findings = plan(without("curl.exe"), image, 1).findings
        assert any("cannot report to this site" in one for one in findings)


class TestPrestart:
    @pytest.mark.parametrize(
        ("command", "missing"),
        [
            ("powershell -File x.ps1", "powershell"),
            ("call get.cmd http://srv/", "get.cmd"),
            (r"%SystemRoot%\Prestart\ask.cmd 1", "ask.cmd"),
            (r"X:\Windows\System32\gone.exe", "gone.exe"),
            (r'"%windir%\System32\my tool.exe" /q', "my tool.exe"),
        ],
    )
    def test_a_program_that_is_not_there(self, command, missing):
        (found,) = shortfalls(FACTS, image_of(prestart_command=command))
        assert missing in found.text

    @pytest.mark.parametrize(
        "command",
        [
            "echo hello",
            "curl http://srv/",
            "CMD.EXE /c dir",
            "call ask.cmd",
            r"%SystemRoot%\Prestart\ask.cmd",
            r"D:\anything.exe",
            r"X:\Deploy\anything.exe",
            r"%TOOLS%\x.exe",
            "start /wait notepad",
            "",
        ],
    )
    def test_what_is_there_or_cannot_be_known(self, command):
        added = (ExtraFile("/Windows/Prestart/ask.cmd", DIGEST, 1),)
        assert shortfalls(FACTS, image_of(prestart_command=command, extra_files=added)) == ()

    def test_the_optional_component_is_named(self):
        (found,) = shortfalls(FACTS, image_of(prestart_command="powershell.exe -Command x"))
        assert "WinPE-PowerShell" in found.fix


def nic(*spans, name="e1d"):
    """A driver whose one device is for these builds."""
    models = tuple(Model(X64, "card", ("PCI\\VEN_1&DEV_2",), (), "", *span) for span in spans)
    return replace(make_driver(name), models=models)


class TestBuilds:
    @pytest.mark.parametrize(
        ("driver", "words"),
        [
            (nic((26100,)), "requires Windows build 26100 or later"),
            (nic((0, 10240), (0, 14393)), "for builds before 14393"),
            (nic((0, 10240), (26100,)), "list of devices for this build is empty"),
            (nic(), "list of devices for this build is empty"),
        ],
    )
    def test_a_driver_that_claims_nothing_on_this_build(self, driver, words):
        (found,) = texts(FACTS, image_of(driver))
        assert found.startswith("e1d drives no device on build 22621")
        assert words in found

    def test_one_list_that_fits_is_enough(self):
        assert texts(FACTS, image_of(nic((0, 10240), (16299,)))) == []

    def test_nothing_is_said_of_an_unknown_build(self):
        facts = replace(FACTS, version="")
        assert texts(facts, image_of(nic((16299,)))) == []


def on_bus(name, *ids, service="", kind="Net", provider="Xen Project"):
    return replace(make_driver(name, class_name=kind, ids=ids, service=service), provider=provider)


XENNET = on_bus("xennet", "XENVIF\\VEN_XP0001&DEV_NET", service="xennet")
XENVIF = on_bus("xenvif", "XENBUS\\VEN_XP0001&DEV_VIF", service="xenvif", kind="System")
XENBUS = on_bus("xenbus", "PCI\\VEN_5853&DEV_0001", service="xenbus", kind="System")


class TestBuses:
    @pytest.mark.parametrize(
        ("drivers", "lacking"),
        [
            ((XENNET,), ["xennet"]),
            ((XENNET, XENBUS), ["xennet"]),
            ((XENNET, XENVIF), ["xenvif"]),
            ((XENVIF,), ["xenvif"]),
            ((XENNET, XENVIF, XENBUS), []),
            ((XENBUS,), []),
        ],
    )
    def test_a_driver_whose_bus_has_no_driver(self, drivers, lacking):
        found = texts(FACTS, image_of(*drivers))
        assert [text.split()[0] for text in found] == lacking

    @pytest.mark.parametrize(
        ("bus", "name"),
        [
            ("MLX4", "mlx4_bus"),
            ("B06BDRV", "b06bdrv"),
            ("XENVIF", "xenvif"),
            ("ACMEBUS", "acmebus"),
        ],
    )
    def test_the_driver_of_a_bus_is_known_by_its_service(self, bus, name):
        card = on_bus("card", f"{bus}\\CARD", provider="Acme")
        driver = on_bus("bus", "PCI\\VEN_9", service=name, kind="System", provider="Acme")
        assert provides(bus, {name})
        assert texts(FACTS, image_of(card, driver)) == []

    def test_the_driver_of_a_bus_is_known_by_its_program(self):
        """The service is called otherwise."""
        card = on_bus("card", "EBDRV\\L2ND", provider="Acme")
        driver = on_bus("evbd", "PCI\\VEN_9", service="evb", kind="System", provider="Other")
        files = (DriverFile("evbd.inf", DIGEST, 1), DriverFile("x64/ebdrv.sys", DIGEST, 1))
        assert texts(FACTS, image_of(card, replace(driver, files=files))) == []

    def test_names_may_differ_if_the_vendor_is_one(self):
        """As for buses whose name is an interface, which is what old NVIDIA chips have."""
        interface = "{1A3E09BE-1E45-494B-9174-D7385B45BBF5}"
        card = on_bus("card", f"{interface}\\NVNET_DEV0057", provider="N")
        driver = on_bus("nvbus", "PCI\\VEN_10DE", service="nvnetbus", kind="System", provider="N")
        assert texts(FACTS, image_of(card, driver)) == []
        assert len(texts(FACTS, image_of(card, replace(driver, provider="Other")))) == 1

    def test_windows_may_have_the_driver_of_the_bus(self):
        card = on_bus("card", "B06BDRV\\L2ND&PCI_164414E4", provider="Acme")
        assert texts(FACTS, image_of(card)) == []
        assert len(texts(replace(FACTS, services=("disk",)), image_of(card))) == 1

    def test_a_package_may_hold_bus_and_card(self):
        """One INF claims both."""
        both = on_bus("both", "PCI\\VEN_9&DEV_1", "ACMEBUS\\CARD", provider="Acme")
        assert texts(FACTS, image_of(both)) == []

    @pytest.mark.parametrize("bus", ["PCI", "USB", "ACPI", "VMBUS", "ROOT", "SD"])
    def test_buses_of_windows_need_no_driver(self, bus):
        assert texts(FACTS, image_of(on_bus("card", f"{bus}\\X"))) == []

    def test_the_catalog_has_what_is_missing(self):
        """The whole chain of buses at once."""
        (found,) = shortfalls(FACTS, image_of(XENNET))
        fixed = with_fixes(found, [NIC, XENBUS, XENVIF], X64, 22621)
        assert [name for _, name in fixed.fixes] == ["xenvif", "xenbus"]
        assert fixed.fix == "Add xenvif and xenbus, which the catalog has."
        assert with_fixes(found, [NIC], X64, 22621) == found


def test_an_extension_without_its_driver_has_no_effect():
    extension = make_driver("e1dext", class_name="Extension")
    (found,) = texts(FACTS, image_of(extension))
    assert found.startswith("e1dext has no effect in it: this is an extension INF")
    assert texts(FACTS, image_of(NIC, extension)) == []
