"""netboot.formats.inf: real INFs from three repositories, INFs read by hand, hostile ones."""

import json
from contextlib import suppress
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.inf.inf import Inf, parse
from tests.formats.inf.inf_summary import (
    FOLDER,
    GOLDEN,
    SAMPLES,
    elsewhere,
    facts,
    lent,
    samples,
    stamp,
    summaries,
    summary,
)

HEAD = '[Version]\nSignature="$Windows NT$"\nDriverVer=01/02/2020,1.2.3.4\n'


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_real_infs_say_what_they_said(path):
    """Every real INF gives the summary in the golden file."""
    assert json.loads(GOLDEN.read_text())[path.name] == summaries(path)


def test_all_samples_are_in_the_golden_file():
    """No sample is left out, and none is there that is gone."""
    assert sorted(json.loads(GOLDEN.read_text())) == [path.name for path in samples()]


@pytest.mark.parametrize("name", sorted(elsewhere()))
def test_infs_that_are_kept_elsewhere_say_what_they_said(name):
    """Their licence keeps them out of this repository; here they are checked where they lie."""
    data = lent(name)
    if data is None:
        pytest.skip(f"{FOLDER} names no folder with {name}; samples/inf/NOTICE says where it is")
    assert elsewhere()[name] == facts(data)


def test_the_notice_tells_where_every_sample_is_from():
    """Those that lie here, and those that do not."""
    notice = (SAMPLES / "NOTICE").read_text()
    names = [path.name for path in samples()] + list(elsewhere())
    assert len(names) == 53
    assert [name for name in names if f"    {name}\n" not in notice] == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_the_encoding_changes_nothing(path, encoding):
    """The same text in another encoding gives the same devices and files."""
    data = path.read_bytes()
    text = data.decode("utf-16" if data.startswith(b"\xff\xfe") else "latin-1")
    first, second = parse(data), parse(text.encode(encoding))
    assert (first.models, first.payloads, first.refusal) == (
        second.models,
        second.payloads,
        second.refusal,
    )


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_a_continued_line_elsewhere_changes_nothing(path):
    """Files without continued lines are read a shorter way."""
    data = path.read_bytes()
    text = data.decode("utf-16" if data.startswith(b"\xff\xfe") else "latin-1")
    for end in ("", "\n[Some other section]\nkey = one, \\\n  two\n"):
        for architecture in ("$ARCH$", "amd64"):
            whole = parse(stamp((text + end).encode("latin-1"), architecture))
            assert summary(whole) == summary(parse(stamp(text.encode("latin-1"), architecture)))


def read(name, architecture=""):
    data = (SAMPLES / name).read_bytes()
    return parse(stamp(data, architecture) if architecture else data)


def ids(inf, architecture):
    return [
        (model.hardware_id, *model.compatible_ids)
        for model in inf.models
        if model.architecture == architecture
    ]


class TestReadByHand:
    """What a person found who read these files line by line; not written by the parser."""

    def test_smbus(self):
        """virtio_smbus.inf: undecorated lines are for x86, the others for x64; no files."""
        inf = read("virtio_smbus.inf")
        expected = [
            ("PCI\\VEN_8086&DEV_2930&SUBSYS_11001AF4",),
            ("PCI\\VEN_8086&CC_0C0500",),
            ("PCI\\VEN_8086&CC_0C05",),
        ]
        assert (expected, expected, []) == (ids(inf, "x86"), ids(inf, "amd64"), ids(inf, "arm64"))
        assert (
            inf.version.provider,
            inf.version.date,
            inf.version.version,
            inf.version.catalog("amd64"),
        ) == ("Red Hat, Inc.", "2017-04-27", "100.0.0.0", "smbus.cat")
        assert {"Red Hat Q35 SM Bus driver"} == {model.description for model in inf.models}
        assert {""} == {model.install.function_driver for model in inf.models}

    def test_disk(self):
        """wds_diskdev.inf: x64 only, one file in the folder amd64, service disk."""
        inf = read("wds_diskdev.inf")
        assert ids(inf, "amd64") == [("GENDISK",), ("GENOPTICAL",)]
        assert [(file.name, file.folder) for file in inf.payloads["amd64"].files] == [
            ("disk.sys", "\\amd64")
        ]
        assert {("disk.nt", "disk")} == {
            (model.install.section, model.install.function_driver) for model in inf.models
        }

    def test_realtek_sdio(self):
        """wds_netrtwlans.inf: 18 SDIO cards on x64 from build 16299 on."""
        inf = read("wds_netrtwlans.inf")
        found = ids(inf, "amd64")
        assert (
            len(found),
            found[0],
            found[-1],
        ) == (18, ("SD\\VID_024C&PID_8753",), ("SD\\VID_024C&PID_D723",))
        assert {(16299, 0)} == {(m.minimum_build, m.maximum_build) for m in inf.models}
        payload = inf.payloads["amd64"]
        assert (
            [file.name for file in payload.files],
            list(payload.other_infs),
        ) == (["rtwlans.sys"], ["netvwifibus.inf"])
        assert inf.version.catalog("amd64") == "netrtwlans.cat"
        assert {"RtlWlans"} == {model.install.function_driver for model in inf.models}

    def test_template(self):
        """virtio_vioscsi.inx as it is in the repository is a template, built it has two ids."""
        assert read("virtio_vioscsi.inx").refusal.startswith("not built")
        inf = read("virtio_vioscsi.inx", "amd64")
        assert [model.compatible_ids[0] for model in inf.models] == [
            "PCI\\VEN_1AF4&DEV_1004",
            "PCI\\VEN_1AF4&DEV_1048",
        ]
        assert (
            inf.version.class_name,
            inf.version.class_guid,
            inf.models[0].install.function_driver,
        ) == ("SCSIAdapter", "4d36e97b-e325-11ce-bfc1-08002be10318", "vioscsi")

    def test_three_spans(self):
        """wds_ndisprot.inx: one section for 7, one for 10, one from build 25341 on."""
        inf = read("wds_ndisprot.inx", "amd64")
        assert [(m.minimum_build, m.maximum_build, m.install.section) for m in inf.models] == [
            (7600, 10240, "install_7"),
            (10240, 25341, "install_10"),
            (25341, 0, "install"),
        ]

    def test_utf_16(self):
        """wds_netvadapterum.inf: UTF-16; the empty section [Msft] supports no x86."""
        inf = read("wds_netvadapterum.inf", "amd64")
        assert (inf.encoding, ids(inf, "x86"), len(ids(inf, "amd64"))) == ("utf-16le", [], 4)

    def test_co_installer(self):
        """wds_mdmfake.inx copies a co-installer and its driver."""
        payload = read("wds_mdmfake.inx", "amd64").payloads["amd64"]
        assert (True, {"fakemodem.sys", "WdfCoInstaller$KMDFCOINSTALLERVERSION$.dll"}) == (
            payload.co_installers,
            {file.name for file in payload.files},
        )

    def test_default_install(self):
        """wds_stmedit.inf installs a filter, no device."""
        assert read("wds_stmedit.inf").refusal.startswith("not PnP")


def models(text):
    return parse((HEAD + text).encode()).models


def test_an_empty_decorated_section_means_unsupported():
    """From Windows 10 on the chosen section is empty, so the devices end with build 10240."""
    found = models(
        "[Manufacturer]\nM=S,NTamd64.6.1,NTamd64.10.0\n"
        "[S.NTamd64.6.1]\nD=i,PCI\\VEN_1&DEV_2\n[S.NTamd64.10.0]\n"
    )
    assert [(model.minimum_build, model.maximum_build) for model in found] == [(7600, 10240)]


def test_a_manufacturer_may_be_its_own_section():
    """A line without an equals sign names manufacturer and section at once."""
    (model,) = models("[Manufacturer]\nAcme\n[Acme]\nD=i,pci\\ven_1\n")
    assert (
        model.manufacturer,
        model.architecture,
        model.hardware_id,
    ) == ("Acme", "x86", "PCI\\VEN_1")


def test_a_device_may_have_compatible_ids_only():
    """The hardware id may be empty."""
    (model,) = models("[Manufacturer]\nM=S,NTamd64\n[S.NTamd64]\nD=i,,PCI\\CC_0106,PCI\\CC_0104\n")
    assert (model.hardware_id, model.compatible_ids) == ("", ("PCI\\CC_0106", "PCI\\CC_0104"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not PnP: it has no [Manufacturer] section"),
        ("[DefaultInstall.NTx86]\n", "not PnP: it has a [DefaultInstall] section"),
        ("[Manufacturer]\nM=S,NT$ARCH$\n", "not built"),
        ("[Manufacturer]\nM=S,NTia64\n[S.NTia64]\nD=i,PCI\\VEN_1\n", "no devices for Windows PE"),
        ("[Manufacturer]\nM=S,NTamd64.10.0.3\n[S.NTamd64.10.0.3]\nD=i,x\n", "no devices for"),
        ("[Manufacturer]\nM=S\n[S]\n", "not PnP: its models sections list no device"),
    ],
)
def test_refusals(text, reason):
    """What Windows PE can do nothing with is read, and refused with a reason."""
    inf = parse((HEAD + text).encode())
    assert (inf.refusal.startswith(reason), inf.models) == (True, ())


def test_findings():
    """Doubtful things are told in sentences."""
    inf = parse(
        b'lost\n[Version]\nSignature="$Windows NT$"\nDriverVer=31/12/2020,1.0\n'
        b"[Manufacturer]\n%M%=S,NTamd64,NTfoo,NTarm64\n[S.NTamd64]\n%D%=i,PCI\\VEN_1\n"
    )
    assert inf.findings == (
        "1 lines before the first section are ignored.",
        "DriverVer has an invalid date (month first): '31/12/2020'.",
        "Unknown Windows target: 'NTfoo'.",
        "The models section [S.NTarm64] is missing.",
        "Undefined string tokens: %M%, %D%.",
    )


WORDS = st.sampled_from(
    [
        *'[];,=%"\\\n\r \t\0\x1a@$',
        "[Version]\n",
        "Signature=$Windows NT$\n",
        "[Manufacturer]\n",
        "%a%",
        "[Strings]\n",
        'a="%a%%b%"\n',
        "NTamd64.10.0...17763",
        "M=S,NTamd64\n",
        "[S.NTamd64]\n",
        "D=i,PCI\\VEN_8086\n",
        "CopyFiles=@",
        "[i]\n",
        "Needs=i\n",
        "\\\n",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=60).map("".join)))
@example(b"\xff\xfe[")
@example(b"\x00[\x00]")
@example(b"\\")
@example(b"\\\n[")
def test_any_bytes_give_an_inf_or_a_format_error(data):
    """The parser is total, whatever the bytes and whatever the encoding."""
    raw = data if isinstance(data, bytes) else data.encode()
    for prefix in (b"", HEAD.encode(), b"\xff\xfe", b"\xef\xbb\xbf"):
        try:
            assert isinstance(parse(prefix + raw), Inf)
        except FormatError:
            continue


def _mutations(path):
    data = path.read_bytes()
    for at in range(0, len(data), max(1, len(data) // 40)):
        yield data[:at]
        yield data[:at] + b'"' + data[at:]
        yield data[:at] + b"%" + data[at + 1 :]


@pytest.mark.parametrize("path", samples()[::4], ids=lambda path: path.name)
def test_damaged_real_infs(path):
    """Cut and damaged files give an INF or a FormatError."""
    for data in _mutations(path):
        try:
            parse(data)
        except FormatError:
            continue


MANUFACTURER = "[Manufacturer]\nM=S,NTamd64\n"
HOSTILE = {
    "one long line": "[S]\n" + "a," * 2_000_000,
    "quotes": "[S]\n" + '"' * 4_000_000,
    "continued lines": "[S]\n" + "a,\\\n" * 95_000,
    "sections": "\n".join(f"[s{n}]" for n in range(95_000)),
    "one section again and again": "[s]\na=b\n" * 45_000,
    "manufacturers of one section": "[Manufacturer]\n"
    + "".join(f"M{n}=S,NTamd64\n" for n in range(45_000))
    + "[S.NTamd64]\n"
    + "D=i,x\n" * 45_000,
    "targets of one long section": f"[Manufacturer]\nM={'S' * 2_000_000}" + ",NTamd64" * 200_000,
    "installs that need each other": MANUFACTURER
    + "[S.NTamd64]\n"
    + "".join(f"D=i{n},x{n}\n" for n in range(20_000))
    + "".join(f"[i{n}]\nNeeds=i{n + 1}\nCopyFiles=l\n" for n in range(20_000))
    + "[l]\n"
    + "f.sys\n" * 10_000,
    "installs that copy one long list": MANUFACTURER
    + "[S.NTamd64]\n"
    + "".join(f"D=i{n},x\n" for n in range(25_000))
    + "".join(f"[i{n}]\nCopyFiles=l\n" for n in range(25_000))
    + "[l]\n"
    + "f.sys\n" * 20_000,
    "percent signs": "[Manufacturer]\nM=" + "%" * 3_999_000,
    "tokens": MANUFACTURER + "[S.NTamd64]\n" + "%a%=%a%,%a%,%a%\n" * 90_000 + '[Strings]\na="x"\n',
    "brackets": "[" * 4_000_000,
    "semicolons": '[S]\na="' + ';"' * 1_900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_infs_are_done_in_time(name):
    """Four megabytes of malice take seconds, not minutes: no step is quadratic."""
    data = (HEAD + HOSTILE[name]).encode()[: 4 << 20]
    began = process_time()
    with suppress(FormatError):
        parse(data)
    assert process_time() - began < 8


def test_doubling_grows_linearly():
    """Twice the devices take about twice the time."""

    def seconds(count):
        body = "".join(f"%d%=i,PCI\\VEN_8086&DEV_{n:04X}\n" for n in range(count))
        data = f'{HEAD}[Manufacturer]\nM=S,NTamd64\n[S.NTamd64]\n{body}[Strings]\nd="D"'.encode()
        times = []
        for _ in range(3):
            began = process_time()
            assert len(parse(data).models) == count
            times.append(process_time() - began)
        return min(times)

    assert seconds(40_000) < 5 * seconds(10_000) * 1.5
