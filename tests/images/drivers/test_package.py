"""netboot.images.drivers.package: what belongs to a driver, and what is doubtful about it."""

from dataclasses import replace

import pytest

from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver, DriverFile, DriverKind, Model
from netboot.images.drivers.package import (
    Refused,
    make_driver,
    package_digest,
    plan,
    safe_path,
)
from tests.formats.programs import program
from tests.images.drivers.packages import (
    DISPLAY,
    NET,
    SCSI,
    inf_text,
    listing,
    package,
    package_files,
)


def make(files, inf_name="acme.inf"):
    return package(parse(files[inf_name]), inf_name, listing(files))


def test_a_whole_package_is_a_driver_without_findings():
    """INF, program and catalog file, nothing missing."""
    driver = make(package_files(ids=("PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086, PCI\\VEN_8086",)))
    assert isinstance(driver, Driver)
    assert ("acme", "acme.inf", "Acme, Ltd.", "Net", NET[1], "1.2.3.4", "2020-01-02") == (
        driver.name,
        driver.inf_name,
        driver.provider,
        driver.class_name,
        driver.class_guid,
        driver.version,
        driver.date,
    )
    assert (
        Model(
            Architecture.X64,
            "Acme, Ltd.",
            ("PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086",),
            ("PCI\\VEN_8086",),
            "acme",
        ),
    ) == driver.models
    assert (
        [file.path for file in driver.files],
        driver.catalog_file,
        driver.findings,
        driver.missing,
        driver.enabled,
    ) == (["acme.cat", "acme.inf", "acme.sys"], "acme.cat", (), (), False)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(NET, DriverKind.NETWORK), (SCSI, DriverKind.STORAGE), (DISPLAY, DriverKind.OTHER)],
)
def test_kind(kind, expected):
    """The class tells what the driver is for."""
    assert make(package_files(kind=kind)).kind == expected


def test_missing_program():
    """Without its program the driver is there, but says that it lacks it."""
    files = package_files()
    del files["acme.sys"]
    driver = make(files)
    assert (
        driver.missing,
        driver.findings,
    ) == (("acme.sys",), ("Missing files that the INF copies for x64: acme.sys.",))


def test_an_architecture_whose_files_are_missing_is_left_out():
    """A vendor's INF for three architectures shipped with the files of one serves that one."""
    files = package_files(targets=("NTx86", "NTamd64"))
    text = files["acme.inf"].decode().replace("acme.sys = 1", "acme.sys = 1,x64")
    text += "\n[SourceDisksFiles.x86]\nacme.sys = 1,x86\n"
    driver = make({
        "acme.inf": text.encode(), "x64/acme.sys": files["acme.sys"], "acme.cat": b"c",
    })  # fmt: skip
    assert (frozenset({Architecture.X64}), {Architecture.X64}, ()) == (
        driver.architectures,
        {model.architecture for model in driver.models},
        driver.missing,
    )
    assert driver.findings == ("Left out for x86 because files are missing: x86/acme.sys.",)


def test_files_know_their_architectures():
    """A file that only one architecture needs says so; the INF is for all."""
    files = package_files(targets=("NTx86", "NTamd64"))
    text = files["acme.inf"].decode() + "\n[SourceDisksFiles.x86]\nacme.sys = 1,x86\n"
    files |= {"acme.inf": text.encode(), "x86/acme.sys": program("x86")}
    driver = make(files)
    assert {
        "acme.cat": frozenset(),
        "acme.inf": frozenset(),
        "acme.sys": frozenset({Architecture.X64}),
        "x86/acme.sys": frozenset({Architecture.X86}),
    } == {file.path: file.architectures for file in driver.files}
    assert driver.findings == ()


@pytest.mark.parametrize(
    ("machine", "finding"),
    [
        ("x86", "acme.sys is x86 code, but the INF uses it for x64."),
        ("arm64", "acme.sys is arm64 code, but the INF uses it for x64."),
        ("ia64", "acme.sys is ia64 code, but the INF uses it for x64."),
    ],
)
def test_a_program_for_another_processor(machine, finding):
    """The classic mistake of hand-made folders is told."""
    assert (finding,) == make(package_files(machine=machine)).findings


def test_a_program_that_is_none():
    """A .sys file without a program header is told too."""
    driver = make(package_files() | {"acme.sys": b"text"})
    assert driver.findings == ("acme.sys is no program, but the INF uses it for x64.",)


def test_no_catalog_file():
    """Missing, or not even named."""
    driver = make(package_files(with_catalog=False))
    assert (driver.findings) == (
        "The catalog file acme.cat is missing. Windows treats it as unsigned.",
    )
    files = package_files()
    files["acme.inf"] = files["acme.inf"].replace(b"CatalogFile", b";")
    driver = make(files)
    assert (driver.catalog_file, driver.findings, [file.path for file in driver.files]) == (
        "",
        ("The INF lists no catalog file. Windows treats the driver as unsigned.",),
        ["acme.inf", "acme.sys"],
    )


def test_signature_of_its_own():
    """A package whose programs are signed themselves says so."""
    assert (
        make(package_files(signed=True)).self_signed,
        make(package_files()).self_signed,
    ) == (True, False)


@pytest.mark.parametrize(
    "line",
    [
        "..\\..\\etc\\passwd",
        "../evil.sys",
        "C:\\Windows\\evil.sys",
        "sub\\..\\..\\evil.sys",
        "evil.sys:stream",
    ],
)
def test_escapes_are_findings(line):
    """A file outside the package is told, counted as missing, and never asked for."""
    files = package_files()
    files["acme.inf"] = files["acme.inf"].replace(b"[Copy]", f"[Copy]\n{line}".encode())
    asked = []

    def find(path):
        asked.append(path)
        return path if path in files else None

    planned = plan(parse(files["acme.inf"]), "acme.inf", find)
    assert (["acme.sys", "acme.cat"], {"amd64": (line,)}, ["acme.cat", "acme.inf", "acme.sys"]) == (
        asked,
        dict(planned.missing),
        list(planned.files),
    )
    assert f"{line} is outside the driver package and was ignored." in make(files).findings


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [
        ("", "a.sys", "a.sys"),
        ("\\amd64", "a.sys", "amd64/a.sys"),
        ("\\\\amd64\\\\deep\\", "a.sys", "amd64/deep/a.sys"),
        (".\\.", "a.sys", "a.sys"),
        ("x/y", "z\\a.sys", "x/y/z/a.sys"),
        ("", "", None),
        ("..", "a.sys", None),
        ("a", "..", None),
        ("", "con:", None),
        ("", "a\tb", None),
    ],
)
def test_paths_stay_inside(folder, name, path):
    """Backslashes, roots and dots; never out."""
    assert path == safe_path(folder, name)


def test_a_file_may_lie_in_the_root_instead_of_its_folder():
    """Windows looks in both places."""
    files = package_files()
    files["acme.inf"] = files["acme.inf"].replace(b"acme.sys = 1", b"acme.sys = 1,amd64")
    assert (make(files).findings, make(files).files[-1].path) == ((), "acme.sys")


def test_names_know_no_case():
    """ACME.SYS on the disk is acme.sys in the INF, and keeps its spelling."""
    files = package_files()
    files["ACME.Sys"] = files.pop("acme.sys")
    driver = make(files)
    assert ((), {"ACME.Sys", "acme.inf", "acme.cat"}) == (
        driver.findings,
        {file.path for file in driver.files},
    )


def test_a_compressed_program_is_found():
    """acme.sy_ stands for acme.sys, as on old disks."""
    files = package_files()
    files["acme.sy_"] = b"SZDD" + files.pop("acme.sys")
    assert (make(files).findings, make(files).missing) == ((), ())


def test_a_cabinet_is_taken_along_unopened():
    """Payload inside a .cab of the package is told, not unpacked."""
    files = package_files()
    files["acme.inf"] = files["acme.inf"].replace(b'1 = "Disk"', b'1 = "Disk",drv.cab')
    del files["acme.sys"]
    driver = make(files | {"drv.cab": b"MSCF"})
    assert driver.findings == ("acme.sys should be inside drv.cab, which could not be opened.",)
    assert "drv.cab" in {file.path for file in driver.files}


def test_other_findings():
    """Co-installers, other INFs, a missing class GUID, a layout of Windows' own."""
    files = package_files()
    text = files["acme.inf"].decode()
    text = text.replace(f"ClassGuid = {{{NET[1]}}}", "LayoutFile = layout.inf")
    text = text.replace(
        "CopyFiles = Copy", "CopyFiles=Copy\nInclude=netrndis.inf\nCopyInf=more.inf"
    )
    text += "[Install.NT.CoInstallers]\nAddReg = x\n"
    driver = make(files | {"acme.inf": text.encode()})
    assert driver.findings == (
        "more.inf, which the INF includes, is missing.",
        "The INF has no ClassGuid, taken from the class name Net.",
        "It needs netrndis.inf from Windows, which the boot image must contain.",
        "It uses co-installers, which Windows PE does not run.",
        "It is made to be included in Windows (LayoutFile), not installed as a package.",
    )
    assert driver.kind == DriverKind.NETWORK


def test_a_network_driver_that_starts_nothing():
    """Without a service there is no program of its own."""
    text = inf_text().replace("AddService", ";")
    findings = make(package_files() | {"acme.inf": text.encode()}).findings
    assert findings == ("It installs no service. Windows must already include the driver binary.",)


def test_refused():
    """A template makes no driver."""
    text = inf_text(targets=("NT$ARCH$",))
    result = make({"acme.inf": text.encode()})
    assert isinstance(result, Refused)
    assert result.reason.startswith("not built")


def test_the_digest_names_the_content():
    """Order and case of names do not matter; bytes and names do."""
    one, two = DriverFile("A.inf", "sha256:1", 1), DriverFile("b.sys", "sha256:2", 2)
    same = package_digest([two, DriverFile("a.INF", "sha256:1", 1)])
    assert package_digest([one, two]) == same
    assert same != package_digest([one, DriverFile("b.sys", "sha256:3", 2)])
    assert same != package_digest([one, DriverFile("c.sys", "sha256:2", 2)])


def test_devices_end_where_the_inf_ends_them():
    """The builds of a model come from the decorations."""
    files = package_files(targets=("NTamd64.6.1", "NTamd64.10.0"))
    assert [(model.minimum_build, model.maximum_build) for model in make(files).models] == [
        (7600, 10240),
        (10240, 0),
    ]


def test_lines_that_differ_only_in_the_hardware_id_are_one_model():
    """Ids keep their order; other compatible ids or another description make another model."""
    ids = ("PCI\\VEN_1", "PCI\\VEN_2", "PCI\\VEN_3,PCI\\CC_0200", "PCI\\VEN_4,PCI\\CC_0200")
    files = package_files(ids=ids)
    files["acme.inf"] = files["acme.inf"].replace(
        b"[Install.NT]", b"Other = Install,PCI\\VEN_5\n%Vendor% = Install,PCI\\VEN_6\n[Install.NT]"
    )
    assert [
        (model.hardware_ids, model.compatible_ids, model.description)
        for model in make(files).models
    ] == [
        (("PCI\\VEN_1", "PCI\\VEN_2", "PCI\\VEN_6"), (), "Acme, Ltd."),
        (("PCI\\VEN_3", "PCI\\VEN_4"), ("PCI\\CC_0200",), "Acme, Ltd."),
        (("PCI\\VEN_5",), (), "Other"),
    ]


def test_what_the_catalog_file_does_not_list():
    """INF and programs whose digests are not among its members were changed since."""
    files = package_files()
    entries = {
        file.path: replace(file, names=frozenset({file.path.encode()})) for file in listing(files)
    }
    inf = parse(files["acme.inf"])
    planned = plan(inf, "acme.inf", lambda path: path if path in files else None)

    def made(*listed):
        names = frozenset(name.encode() for name in listed)
        return make_driver(inf, "acme.inf", planned, entries, names)

    doubt = "acme.sys does not match the catalog file acme.cat."
    assert (
        made("acme.inf", "acme.sys").findings,
        made("acme.inf", "acme.sys").catalog_checked,
    ) == ((), True)
    assert ((doubt,), False) == (made("acme.inf").findings, made("acme.inf").catalog_checked)
    unread = make_driver(inf, "acme.inf", planned, entries)
    assert (unread.findings, unread.catalog_checked) == ((), False)
