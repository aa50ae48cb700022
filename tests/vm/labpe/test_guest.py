"""The Lab PE's own scripts, run on this machine by the shell that runs them there."""

import json
import subprocess

import pytest

from netboot.formats.inf import inf
from netboot.images.servicing.start_report import HomeReport
from netboot.images.servicing.startup_hooks import (
    STARTNET,
    WINPESHL,
    DriverLine,
    StartUp,
    Wish,
    plan_hook,
)
from tests.formats.inf.inf_summary import samples, stamp
from vm.labpe.initrd import GUEST

WORDS = {"x64": "amd64", "x86": "x86"}

INF = r"""
[version]
Class=Net
[Manufacturer]
%Acme% = Acme, NTx86, NTamd64, NTamd64.10.0...22000
[Acme.NTx86]
%Nic% = Nic86, PCI\VEN_8086&DEV_100E
[acme.ntamd64]
%Nic% = Nic64, PCI\VEN_8086&DEV_100E&SUBSYS_11001AF4, pci\ven_8086&dev_100f ; a comment
"Quoted; name" = Nic64, \
  PCI\VEN_8086&DEV_1008
[Acme.NTamd64.10.0...22000]
%Nic% = Nic64, PCI\VEN_DEAD&DEV_BEEF
[Nic86.NT]
CopyFiles = @nic86.ko
[Nic64.ntamd64]
CopyFiles = First, Second
[Nic64]
CopyFiles = @wrong.ko
[First]
ptp.ko
[SECOND]
nic64.ko,,,2
[Strings]
Acme = "Acme"
Nic = "Acme; NIC"
"""

INF_OF_ONE = r"""
[Version]
Class=Net
[Manufacturer]
Acme = Acme, NTamd64
[Acme.NTamd64]
Device = Install, {ids}
[Install]
CopyFiles = @{name}.ko
"""


@pytest.fixture
def shell(busybox, tmp_path):
    """`shell(script)`: run shell text after the Lab PE's parts, with a machine of our making."""
    run, sys, pe = (tmp_path / name for name in ("run", "sys", "pe"))
    for folder in (run, sys / "bus/pci/devices", sys / "module", pe):
        folder.mkdir(parents=True)
    parts = ("say", "pci", "drvload", "start", "network", "report")
    head = "".join(f". {GUEST}/{part}.sh\n" for part in parts)
    insmod = tmp_path / "insmod"
    insmod.write_text('#!/bin/sh\necho "${1##*/}" >> "$RUN/inserted"\n[ -s "$1" ]\n')
    insmod.chmod(0o755)

    def call(script):
        settings = f"PE={pe} SYS={sys} RUN={run} LIB={GUEST} ARCH=x64 INSMOD={insmod}\nexport RUN\n"
        done = subprocess.run(
            [busybox, "sh", "-c", settings + head + script],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
        )
        assert done.stderr == ""
        return done.stdout

    call.run, call.sys, call.pe = run, sys, pe
    return call


def add_device(shell, slot, ids, device_class, *, subsystem="1af4:1100"):
    """A PCI device as sysfs shows it."""
    folder = shell.sys / "bus/pci/devices" / slot
    folder.mkdir()
    vendor, device = ids.split(":")
    subvendor, subdevice = subsystem.split(":")
    for name, text in (
        ("vendor", f"0x{vendor}"),
        ("device", f"0x{device}"),
        ("class", f"0x{device_class}00"),
        ("subsystem_vendor", f"0x{subvendor}"),
        ("subsystem_device", f"0x{subdevice}"),
        ("revision", "0x03"),
    ):
        (folder / name).write_text(f"{text}\n")
    return folder


def test_devices_are_listed_as_windows_names_them(shell):
    """Slot, ids, class, SUBSYS (device then vendor) and revision, lower case."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")

    assert shell("list_pci") == "0000:00:03.0 8086 100e 0200 11001af4 03\n"


def test_hardware_ids_come_best_first(shell):
    """The order in which Windows ranks the ids of a PCI device."""
    ids = shell("hardware_ids 8086 100e 11001af4 03 0200").split()

    assert ids[:4] == [
        r"PCI\VEN_8086&DEV_100E&SUBSYS_11001AF4&REV_03",
        r"PCI\VEN_8086&DEV_100E&SUBSYS_11001AF4",
        r"PCI\VEN_8086&DEV_100E&REV_03",
        r"PCI\VEN_8086&DEV_100E",
    ]


def test_an_inf_is_read_for_this_architecture_only(awk):
    """Decorations, comments, continuations and install sections are honoured."""
    x64 = awk(GUEST / "inf.awk", INF, arch="x64")
    x86 = awk(GUEST / "inf.awk", INF, arch="x86")

    assert x64 == [
        r"PCI\VEN_8086&DEV_100E&SUBSYS_11001AF4|ptp.ko/nic64.ko",
        r"PCI\VEN_8086&DEV_100F|ptp.ko/nic64.ko",
        r"PCI\VEN_8086&DEV_1008|ptp.ko/nic64.ko",
    ]
    assert x86 == [r"PCI\VEN_8086&DEV_100E|nic86.ko"]


def test_a_newer_windows_gets_the_newer_section(awk):
    """A decoration with a minimum build counts from that build on."""
    assert awk(GUEST / "inf.awk", INF, arch="x64", windows_build="22621") == [
        r"PCI\VEN_DEAD&DEV_BEEF|ptp.ko/nic64.ko"
    ]


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
@pytest.mark.parametrize("arch", WORDS)
def test_the_guest_and_the_site_read_real_infs_alike(shell, awk, path, arch):
    """Both parsers, written apart, find the same hardware ids in vendors' files."""
    data = stamp(path.read_bytes(), WORDS[arch])
    source = shell.run / "sample.inf"
    source.write_bytes(data)
    text = shell(f"plain_text {source}")
    guest = {line.partition("|")[0] for line in awk(GUEST / "inf.awk", text, arch=arch)}

    site = {
        identifier
        for model in inf.parse(data).models
        if model.architecture == WORDS[arch]
        and model.minimum_build <= 19041 <= (model.maximum_build or 19041)
        for identifier in (model.hardware_id, *model.compatible_ids)
        if identifier
    }
    assert site == guest


def package(shell, text, **files):
    folder = shell.pe / "Windows/BootDrivers/0001-acme"
    folder.mkdir(parents=True)
    (folder / "acme.inf").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.ko").write_text(content)
    return folder / "acme.inf"


def test_drvload_loads_only_for_a_device_that_is_there(shell):
    """Files of the matching model, in CopyFiles' order; nothing else is touched."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    path = package(shell, INF, ptp="x", nic64="x", nic86="x", wrong="x")

    told = shell(f"list_pci > $RUN/pci; drvload {path}")

    assert (shell.run / "inserted").read_text() == "ptp.ko\nnic64.ko\n"
    assert "inf=acme.inf package=0001-acme device=8086:100e" in told


def test_drvload_of_a_driver_for_nothing_here_loads_nothing(shell):
    """A package without its device is named, and left alone."""
    add_device(shell, "0000:00:03.0", "1af4:1000", "0200")
    path = package(shell, INF, ptp="x", nic64="x")

    told = shell(f"list_pci > $RUN/pci; drvload {path}")

    assert "device=none" in told
    assert not (shell.run / "inserted").exists()


def test_a_driver_for_the_other_architecture_is_refused(shell):
    """An x86-only INF does nothing on x64."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    text = INF.replace("NTx86, NTamd64, NTamd64.10.0...22000", "NTx86")

    told = shell(f"list_pci > $RUN/pci; drvload {package(shell, text, nic86='x')}")

    assert "error=no-model-for-x64" in told


def test_a_package_without_linux_modules_says_so(shell):
    """A real Windows driver matches, and cannot be loaded here."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    text = INF.replace(".ko", ".sys")

    assert "error=no-linux-module" in shell(f"list_pci > $RUN/pci; drvload {package(shell, text)}")


def test_devices_without_a_driver_are_missing(shell):
    """Network and storage count; a bound one, plain IDE and the rest do not."""
    add_device(shell, "0000:00:01.1", "8086:7010", "0101")
    add_device(shell, "0000:00:02.0", "1234:1111", "0300")
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    up = add_device(shell, "0000:00:04.0", "1af4:1000", "0200")
    (up / "virtio0/net/eth0").mkdir(parents=True)
    add_device(shell, "0000:00:05.0", "1b36:0010", "0108")

    missing = shell("list_pci > $RUN/pci; missing_devices")

    assert missing == "net:8086:100e storage:1b36:0010"


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("wpeinit", ["WPEINIT|"]),
        ("  @WPEINIT.EXE", ["WPEINIT|"]),
        (r'start "Command prompt" %SystemRoot%\System32\cmd.exe /k', []),
        (
            r"start /min %SystemRoot%\System32\cmd.exe /c %SystemRoot%\System32\a.cmd",
            [r"CALL|\Windows\System32\a.cmd"],
        ),
        (r"start /wait X:\Windows\System32\wpeinit.exe", ["WPEINIT|"]),
        (
            r'drvload "%SystemRoot%\BootDrivers\0001-a b\x.inf" >>%LOG% 2>&1 || echo FAIL',
            [r"DRVLOAD|\Windows\BootDrivers\0001-a b\x.inf"],
        ),
        (r"DRVLOAD X:\a.INF X:\b.inf", [r"DRVLOAD|\a.INF", r"DRVLOAD|\b.inf"]),
        (r"call %SYSTEMROOT%\System32\nb-start.cmd", [r"CALL|\Windows\System32\nb-start.cmd"]),
        ("nb-start.cmd", [r"CALL|\Windows\System32\nb-start.cmd"]),
        (r'cmd.exe /c "%windir%\a.bat"', [r"CALL|\Windows\a.bat"]),
        (r'%SystemRoot%\System32\cmd.exe /s /c "X:\a.cmd /q"', [r"CALL|\a.cmd"]),
        (r'cmd /s /c ""X:\a b.cmd" 100%% x^&y"', [r"CALL|\a b.cmd"]),
        (r'>>%LOG% echo ","x":"', []),
        (r">%LOG% 2>&1 wpeinit", ["WPEINIT|"]),
        (r"if exist %LOG% del %LOG%", []),
        ("setlocal EnableExtensions", []),
        ("rem drvload x.inf", []),
        (":: drvload x.inf", []),
        ("@echo off", []),
        ("set LOG=drvload", []),
        ("echo wpeinit", []),
        ("", []),
        ("if exist x wpeinit", ["NOTE|if exist x wpeinit"]),
        (r"%SYSTEMDRIVE%\sms\bin\x64\TsBootShell.exe", None),
    ],
)
def test_a_batch_line_becomes_steps(awk, line, steps):
    """Only what starts drivers and network is understood; the rest is named or skipped."""
    expected = [f"FOREIGN|{line}"] if steps is None else steps

    assert awk(GUEST / "batch.awk", f"{line}\n") == expected


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("[LaunchApp]\nAppPath=%SYSTEMROOT%\\System32\\wpeinit.exe\n", ["WPEINIT|"]),
        (
            (
                "[LaunchApps]\n"
                "%SYSTEMROOT%\\System32\\cmd.exe, /c %SYSTEMROOT%\\System32\\nb-start.cmd\n"
                "%SYSTEMDRIVE%\\setup.exe\n"
            ),
            [r"CALL|\Windows\System32\nb-start.cmd", r"FOREIGN|%SYSTEMDRIVE%\setup.exe"],
        ),
        ("; nothing\n[Other]\nwpeinit\n", []),
    ],
)
def test_winpeshl_ini_becomes_steps(awk, text, steps):
    """[LaunchApp] and [LaunchApps] are obeyed in their order."""
    assert steps == awk(GUEST / "batch.awk", text, winpeshl="1")


def start(shell, **files):
    """Start an image with these start files; what it tells, and the names of its lines."""
    system = shell.pe / "windows/SYSTEM32"
    system.mkdir(parents=True)
    for name, text in files.items():
        (system / name.replace("_", ".")).write_bytes(text.replace("\n", "\r\n").encode())
    told = shell("find $PE -type f > $RUN/files; list_pci > $RUN/pci; start_image")
    return [line.split(" ", 2)[2] for line in told.splitlines()]


def test_startnet_calls_our_script(shell):
    """startnet.cmd to nb-start.cmd to wpeinit, whatever the case of the folders."""
    nested = {"nb-start_cmd": "@echo off\nwpeinit\n"}

    told = start(shell, startnet_cmd="call %SystemRoot%\\System32\\nb-start.cmd\n", **nested)

    assert told == ["START-FILE startnet.cmd", "START-FILE nb-start.cmd", "WPEINIT"]


def test_winpeshl_ini_comes_before_startnet(shell):
    """Windows PE reads startnet.cmd only where there is no winpeshl.ini."""
    told = start(shell, winpeshl_ini="[LaunchApps]\nwpeinit.exe\n", startnet_cmd="nothing.exe\n")

    assert told == ["START-FILE winpeshl.ini", "WPEINIT"]


def test_wpeinit_runs_once(shell):
    """A second wpeinit is noted and does nothing."""
    told = start(shell, startnet_cmd="wpeinit\nwpeinit\n")

    assert told == ["START-FILE startnet.cmd", "WPEINIT", "NOTE wpeinit was run before"]


def test_the_images_own_program_is_taken_to_run_wpeinit(shell):
    """ConfigMgr's and MDT's programs start the network; here wpeinit stands for them."""
    told = start(shell, winpeshl_ini="[LaunchApps]\n%SYSTEMDRIVE%\\sms\\TsBootShell.exe\n")

    assert told[-1] == "WPEINIT"


def test_a_package_without_its_line_stays_unloaded(shell):
    """A driver that lies in the image is loaded only when a start file says so."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    package(shell, INF, ptp="x", nic64="x")

    start(shell, startnet_cmd="wpeinit\n")

    assert not (shell.run / "inserted").exists()


def test_files_that_call_each_other_end(shell):
    """A loop of start files is cut, not followed for ever."""
    told = start(shell, startnet_cmd="call startnet.cmd\n")

    assert told[-1].startswith("NOTE start files call each other too deeply")


def test_image_settings_are_read_in_any_form(shell):
    """nb-image.ini with blanks, carriage returns and either case of keys."""
    ini = "[netboot]\nImage = Lab PE x64\nversion=7\n"
    start(shell, **{"nb-image_ini": ini, "startnet_cmd": "\n"})

    assert (
        shell("image_setting image; image_setting version; image_setting build")
        == "Lab PE x64\n7\n\n"
    )


@pytest.mark.parametrize("text", ["plain", 'a "b" \\c', "two\nlines", "tab\there", "", "ü"])
def test_report_texts_are_json(shell, text):
    """Whatever an image is called, the report stays JSON; a tab becomes a blank."""
    (shell.run / "text").write_text(text)

    assert text.replace("\t", " ") == json.loads(shell('quoted "$(cat $RUN/text)"'))


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("007", 7), ("", 0), ("1x", 0)])
def test_report_numbers_are_json(shell, text, number):
    """A version that is no number is 0."""
    assert number == json.loads(shell(f"number '{text}'"))


ROWS = {
    "nothing of its own": StartUp(None),
    "the default startnet.cmd": StartUp("wpeinit\r\n"),
    "a startnet.cmd of its own": StartUp("@echo off\r\nset A=1\r\nwpeinit\r\ntool.exe\r\n"),
    "ConfigMgr": StartUp(
        "wpeinit\r\n", "[LaunchApps]\r\n%SYSTEMDRIVE%\\sms\\bin\\x64\\TsBootShell.exe\r\n"
    ),
    "MDT": StartUp(None, "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\bddrun.exe,/bootstrap\r\n"),
    "a recovery image": StartUp(
        None, "[LaunchApp]\r\nAppPath=X:\\sources\\recovery\\recenv.exe\r\n"
    ),
    "Windows Setup": StartUp("wpeinit\r\n", None, "%SYSTEMDRIVE%\\setup.exe"),
}
WISHES = {
    "drivers": Wish((DriverLine("0001-disk", "disk.inf"), DriverLine("0002-acme", "acme.inf"))),
    "all": Wish(
        (DriverLine("0001-disk", "disk.inf"), DriverLine("0002-acme", "acme.inf")),
        command_shell=True,
        report=HomeReport("http://10.0.0.1/report/t", "Lab PE x64", 3),
    ),
}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("wish", WISHES)
def test_each_kind_of_start_up_loads_the_drivers_before_the_network(shell, row, wish):
    """What a build writes is what the Lab PE obeys: storage, network, then wpeinit, once."""
    add_device(shell, "0000:00:03.0", "8086:100e", "0200")
    add_device(shell, "0000:00:04.0", "1af4:1004", "0100")
    for folder, ids, name in (
        ("0001-disk", "PCI\\VEN_1AF4&DEV_1004", "disk"),
        ("0002-acme", "PCI\\VEN_8086&DEV_100E", "nic"),
    ):
        place = shell.pe / "Windows/BootDrivers" / folder
        place.mkdir(parents=True)
        inf_name = f"{folder.partition('-')[2]}.inf"
        text = INF_OF_ONE.format(ids=ids, name=name)
        (place / inf_name).write_text(text)
        (place / f"{name}.ko").write_text("x")
    hook = plan_hook(ROWS[row], WISHES[wish])
    files = {STARTNET: ROWS[row].startnet, WINPESHL: ROWS[row].winpeshl}
    files |= {file.path: file.text for file in hook.files}

    told = start(
        shell,
        **{
            path.rpartition("/")[2].replace(".", "_"): text.replace("\r\n", "\n")
            for path, text in files.items()
            if text is not None
        },
    )

    steps = [line.partition(" ")[0] for line in told]
    assert (shell.run / "inserted").read_text().split() == ["disk.ko", "nic.ko"]
    assert steps.count("WPEINIT") == 1
    assert steps.count("DRVLOAD") == 2
    assert max(n for n, step in enumerate(steps) if step == "DRVLOAD") < steps.index("WPEINIT")


def test_a_program_of_our_own_is_not_taken_for_the_images(shell):
    """The reporter and the prompt start no network: an image without wpeinit stays offline."""
    hook = plan_hook(StartUp("set A=1\r\n"), WISHES["all"])
    told = start(
        shell,
        **{
            file.path.rpartition("/")[2].replace(".", "_"): file.text.replace("\r\n", "\n")
            for file in hook.files
        },
    )

    assert "START-FILE nb-report.cmd" in told
    assert "WPEINIT" not in told
