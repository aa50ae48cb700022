"""The hook matrix: each kind of start-up, and what is written into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.images.servicing.batch_command import LONGEST_LINE
from netboot.images.servicing.start_report import (
    LOADED_NAMES,
    REFUSED_NAMES,
    REPORT_SCRIPT,
    HomeReport,
)
from netboot.images.servicing.startup_hooks import (
    PRESTART_SCRIPT,
    START_SCRIPT,
    STARTNET,
    WINPESHL,
    DriverLine,
    Hook,
    Mode,
    StartUp,
    Wish,
    decode_script,
    encode_script,
    plan_hook,
)

DRIVERS = (DriverLine("0001-vioscsi", "vioscsi.inf"), DriverLine("0002-netkvm", "netkvm.inf"))
WISH = Wish(drivers=DRIVERS)
HOME = HomeReport("http://192.0.2.1:8081/report/t", "Lab PE x64", 3)
PRESTART = Wish(drivers=DRIVERS, prestart_command=r"X:\ask.cmd /q")
CALL = "rem netboot\r\ncall %SystemRoot%\\System32\\nb-start.cmd\r\n"
LAUNCH = "%SYSTEMROOT%\\System32\\cmd.exe, /c %SYSTEMROOT%\\System32\\nb-start.cmd\r\n"
MDT = "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\bddrun.exe,/bootstrap\r\n"


def text_of(hook: Hook, path: str) -> str:
    return next(file.text for file in hook.files if file.path == path)


def drvload(folder: str, inf_name: str) -> str:
    path = rf"%SystemRoot%\BootDrivers\{folder}\{inf_name}"
    kept = (f"(>>{names} echo  {inf_name})" for names in (LOADED_NAMES, REFUSED_NAMES))
    return f'drvload "{path}" >>%NBLOG% 2>&1 && {" || ".join(kept)}'


@pytest.mark.parametrize(
    "startnet",
    [
        None,
        "",
        "wpeinit\r\n",
        "wpeinit",
        "@echo off\r\nwpeinit\r\n",
        "rem comment\r\n\r\nWPEINIT.EXE\r\n",
    ],
)
def test_a_default_image_becomes_ours(startnet: str | None):
    """FULL mode: drvload lines in their order, then wpeinit."""
    hook = plan_hook(StartUp(startnet), WISH)

    assert hook.mode is Mode.FULL
    expected = "rem netboot: stands for wpeinit\r\ncall %SystemRoot%\\System32\\nb-start.cmd\r\n"
    assert text_of(hook, STARTNET) == expected
    assert text_of(hook, START_SCRIPT).split("\r\n") == [
        "@echo off",
        "rem netboot: written at each build of this image; changes made here are lost",
        "setlocal EnableExtensions DisableDelayedExpansion",
        r"set NBLOG=%SystemRoot%\System32\nb-start.log",
        f"if exist {LOADED_NAMES} del {LOADED_NAMES}",
        f"if exist {REFUSED_NAMES} del {REFUSED_NAMES}",
        drvload("0001-vioscsi", "vioscsi.inf"),
        drvload("0002-netkvm", "netkvm.inf"),
        ">>%NBLOG% echo netboot: loaded:",
        f"if exist {LOADED_NAMES} type {LOADED_NAMES} >>%NBLOG%",
        ">>%NBLOG% echo netboot: not loaded:",
        f"if exist {REFUSED_NAMES} type {REFUSED_NAMES} >>%NBLOG%",
        "wpeinit",
        "",
    ]


def test_in_full_mode_everything_stands_in_its_order():
    """Prompt first, drivers, what became of them, the reporter on its way, network, prestart."""
    wish = Wish(DRIVERS, prestart_command="ask.cmd", command_shell=True, report=HOME)

    lines = text_of(plan_hook(StartUp("wpeinit"), wish), START_SCRIPT).split("\r\n")

    programs = ("start", "drvload", "wpeinit", "call")
    order = [line.split()[0] for line in lines if line.startswith(programs)]
    assert order == ["start", "drvload", "drvload", "start", "wpeinit", programs[-1]]
    assert lines[-2] == "call ask.cmd"


def test_a_customised_startnet_keeps_its_lines():
    """PRE mode: our call stands after @echo off; the rest is untouched."""
    own = "@echo off\r\nset A=1\r\nwpeinit\r\ntool.exe\r\n"

    hook = plan_hook(StartUp(own), WISH)

    assert hook.mode is Mode.PRE
    expected = f"@echo off\r\n{CALL}set A=1\r\nwpeinit\r\ntool.exe\r\n"
    assert text_of(hook, STARTNET) == expected
    assert "wpeinit" not in text_of(hook, START_SCRIPT)
    assert "drvload" in text_of(hook, START_SCRIPT)
    assert not hook.findings


def test_a_customised_startnet_without_echo_off_is_hooked_at_its_top():
    """Our call is the first command that runs; bytes of any code page survive."""
    own = "tool\xe9.exe\nwpeinit"

    hook = plan_hook(StartUp(own), WISH)

    assert f"{CALL}tool\xe9.exe\nwpeinit\r\n" == text_of(hook, STARTNET)


def test_a_prestart_command_follows_the_images_own_wpeinit():
    """Prestart runs after the network and before the image's program."""
    own = "@echo off\r\nset A=1\r\n  @call X:\\Windows\\System32\\wpeinit.exe >nul\r\ntool.exe\r\n"

    hook = plan_hook(StartUp(own), PRESTART)

    lines = text_of(hook, STARTNET).split("\r\n")
    assert lines[4:8] == [
        "  @call X:\\Windows\\System32\\wpeinit.exe >nul",
        "rem netboot",
        "call %SystemRoot%\\System32\\nb-prestart.cmd",
        "tool.exe",
    ]
    assert "call X:\\ask.cmd /q\r\n" in text_of(hook, PRESTART_SCRIPT)


def test_a_startnet_without_wpeinit_is_told_of():
    """Drivers are loaded, and the operator hears that nobody starts the network."""
    hook = plan_hook(StartUp("tool.exe\r\n"), WISH)

    assert hook.mode is Mode.PRE
    assert "does not run wpeinit" in hook.findings[0]


@pytest.mark.parametrize(
    "start_up",
    [
        StartUp("tool.exe\r\n"),
        StartUp(None, MDT),
        StartUp(None, None, "%SYSTEMDRIVE%\\setup.exe"),
    ],
)
def test_a_prestart_command_without_a_place_is_refused(start_up: StartUp):
    """Nothing is written, and the reason says what is missing."""
    hook = plan_hook(start_up, PRESTART)

    assert "after the network" in hook.refusal
    assert hook.files == ()


def test_ours_becomes_the_first_of_the_launched_programs():
    """[LaunchApps]: our line is the first, the image's own chain follows."""
    hook = plan_hook(StartUp("wpeinit", MDT), WISH)

    assert hook.mode is Mode.PRE
    expected = f"[LaunchApps]\r\n{LAUNCH}%SYSTEMROOT%\\System32\\bddrun.exe,/bootstrap\r\n"
    assert text_of(hook, WINPESHL) == expected
    assert [file.path for file in hook.files] == [WINPESHL, START_SCRIPT]


def test_a_prestart_command_follows_a_launched_wpeinit():
    """[LaunchApps] with wpeinit of its own has a place for prestart."""
    own = "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\wpeinit.exe\r\ntool.exe, -x\r\n"

    lines = text_of(plan_hook(StartUp(None, own), PRESTART), WINPESHL).split("\r\n")

    assert lines[2].endswith("wpeinit.exe")
    assert lines[3].endswith("nb-prestart.cmd")
    assert lines[4] == "tool.exe, -x"


def test_a_single_program_becomes_the_last_of_two():
    """[LaunchApp] AppPath= can start only one: it is converted to [LaunchApps]."""
    own = "; recovery\r\n[LaunchApp]\r\nAppPath = X:\\sources\\recovery\\recenv.exe\r\n"

    hook = plan_hook(StartUp(None, own), WISH)

    expected = f"; recovery\r\n[LaunchApps]\r\n{LAUNCH}X:\\sources\\recovery\\recenv.exe\r\n"
    assert (Mode.PRE, expected) == (hook.mode, text_of(hook, WINPESHL))


def test_utf16_stays_utf16():
    """A winpeshl.ini with a byte order mark keeps it in front of all else."""
    own = decode_script(b"\xff\xfe" + "[LaunchApp]\r\nAppPath=a.exe\r\n".encode("utf-16-le"))

    hook = plan_hook(StartUp(None, own), WISH)

    data = bytes(next(file for file in hook.files if file.path == WINPESHL))
    assert f"\ufeff[LaunchApps]\r\n{LAUNCH}a.exe\r\n" == data.decode("utf-16-le")


def test_a_setup_image_gets_a_winpeshl_that_ends_in_setup():
    """Setup never reads startnet.cmd, so winpeshl.ini is made."""
    hook = plan_hook(StartUp("wpeinit", None, "%SYSTEMDRIVE%\\setup.exe"), WISH)

    expected = f"[LaunchApps]\r\n{LAUNCH}%SYSTEMDRIVE%\\setup.exe\r\n"
    assert (Mode.PRE, expected) == (hook.mode, text_of(hook, WINPESHL))


def test_a_winpeshl_that_names_nothing_is_told_of():
    """The next way to start is used, and the operator hears of it."""
    hook = plan_hook(StartUp("wpeinit", "; empty\r\n"), WISH)

    assert hook.mode is Mode.FULL
    assert "winpeshl.ini lists no program, so it is ignored" in hook.findings[0]


def test_no_wish_writes_nothing():
    """An image without drivers and properties starts as it always did."""
    assert Hook(Mode.NONE) == plan_hook(StartUp("own.exe\r\n", MDT), Wish())


def test_a_chain_of_the_images_own_reports_as_well():
    """The reporter runs beside it, and waits for whoever starts the network."""
    for start_up in START_UPS:
        hook = plan_hook(start_up, Wish(DRIVERS, report=HOME))

        assert "nb-report.cmd" in text_of(hook, START_SCRIPT)
        assert HOME.address in text_of(hook, REPORT_SCRIPT)
        assert not hook.findings


def test_a_name_that_means_something_to_the_shell_is_told_by_its_folder():
    """Windows lets an INF be called `a&b.inf`."""
    script = text_of(plan_hook(StartUp(), Wish((DriverLine("0001-a-b", "a&b.inf"),))), START_SCRIPT)

    assert f"(>>{LOADED_NAMES} echo  0001-a-b)" in script


START_UPS = [
    StartUp("wpeinit\r\n"),
    StartUp("@echo off\r\ntool.exe\r\nwpeinit\r\nlast.exe\r\n"),
    StartUp(None, "[LaunchApps]\r\nwpeinit.exe\r\nbddrun.exe\r\n"),
    StartUp(None, "[LaunchApp]\r\nAppPath=wpeinit.exe\r\n"),
]


def after(start_up: StartUp, hook: Hook) -> StartUp:
    written = {file.path: file.text for file in hook.files}
    return StartUp(
        written.get(STARTNET, start_up.startnet),
        written.get(WINPESHL, start_up.winpeshl),
        start_up.setup_path,
    )


@pytest.mark.parametrize("start_up", START_UPS)
@pytest.mark.parametrize("wish", [WISH, PRESTART])
def test_hooking_a_hooked_image_changes_nothing(start_up: StartUp, wish: Wish):
    """A WIM that came out of a build of ours gets the same hook once, not twice."""
    first = plan_hook(start_up, wish)

    second = plan_hook(after(start_up, first), wish)

    assert (first.mode, after(start_up, first)) == (second.mode, after(start_up, second))


@pytest.mark.parametrize("start_up", START_UPS[:3])
def test_without_a_wish_an_old_hook_goes(start_up: StartUp):
    """The start files become what they were before the first hook."""
    hooked = after(start_up, plan_hook(start_up, PRESTART))

    assert start_up == after(hooked, plan_hook(hooked, Wish()))


def test_no_line_grows_with_the_number_of_drivers():
    """cmd.exe leaves out a line that is too long, and with it the driver that it loads."""
    drivers = tuple(DriverLine(f"{n:04}-{'d' * 32}", f"{'i' * 195}.inf") for n in range(900))
    wish = Wish(drivers, "%" * 240, report=HOME, command_shell=True)

    for start_up in (StartUp(), *START_UPS):
        for file in plan_hook(start_up, wish).files:
            lines = file.text.replace("%SystemRoot%", "X:\\Windows").split("\r\n")
            assert max(map(len, lines)) < LONGEST_LINE / 8


def test_a_percent_sign_is_no_variable():
    """Names are doubled where a batch file would expand them."""
    hook = plan_hook(StartUp(), Wish((DriverLine("0001-x", "100%net.inf"),)))

    assert "100%%net.inf" in text_of(hook, START_SCRIPT)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_start_files_are_hooked(startnet: bytes, winpeshl: bytes):
    """Planning is total, and every line of ours is within what Windows PE reads."""
    hook = plan_hook(StartUp(decode_script(startnet), decode_script(winpeshl)), WISH)

    assert hook.mode in {Mode.PRE, Mode.FULL}
    assert all(bytes(file) for file in hook.files)


@given(st.binary(max_size=80))
def test_scripts_keep_their_bytes(data: bytes):
    """Whatever code page a script is in, it comes out as it went in; UTF-16 with a mark."""
    text = decode_script(data)
    if text[:1] != "\ufeff":
        assert data == encode_script(text)
    else:
        assert text == decode_script(encode_script(text))
