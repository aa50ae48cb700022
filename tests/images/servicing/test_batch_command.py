"""netboot.images.servicing.batch_command: a typed command as a line of a batch file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.images.servicing.batch_command import line_as_typed

INTERPRETER = r"%SystemRoot%\System32\cmd.exe /s /c"


def read_by_a_batch_file(line: str) -> str:
    """What cmd.exe hands to the program of a line: percent signs first, then carets and operators.

    Microsoft documents the doubled percent sign in `for /?`, the caret in `cmd /?`.
    """
    line = line.replace("%%", "\0").replace("%SystemRoot%", "X:\\Windows")
    assert "%" not in line, "a percent sign begins a variable"
    words, quoted, escaped = [], False, False
    for letter in line.replace("\0", "%"):
        if escaped or quoted or letter not in "^&|<>()":
            words.append(letter)
        else:
            assert letter == "^", "an operator ends the command"
            escaped = True
            continue
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = False
    return "".join(words)


@pytest.mark.parametrize(
    "command",
    [
        "get.cmd http://srv/a%20b.txt 100%",
        'get.cmd "a&b^c" x^&y',
        'get.cmd "50%" ! ^! a=b;c [x] {y} (z) ` ~ \'',
        'if exist "X:\\a b.cmd" "X:\\a b.cmd" /?',
        "get.cmd 1 & get.cmd 2 && (get.cmd 3) || get.cmd 4 > X:\\log.txt 2>&1",
        'get.cmd "open',
        "for %i in (1 2) do @get.cmd %i",
        "echo hello",
        "get.cmd /?",
        "%TOOLS%\\get.cmd",
        "get.cmd %SystemRoot%",
    ],
)
def test_a_new_interpreter_is_handed_the_command_as_typed(command: str):
    """`/s` takes the outer quotes away."""
    line = line_as_typed(command)

    assert line.startswith(f'{INTERPRETER} "')
    handed = read_by_a_batch_file(line)
    assert handed == f'X:\\Windows\\System32\\cmd.exe /s /c "{command}"'


@pytest.mark.parametrize(
    "command",
    [
        r"X:\Tools\ask.cmd",
        r"ask.cmd /q",
        r"%SystemRoot%\Prestart\ask.cmd",
        r"%systemdrive%\ask.exe -a=1,2 http://192.0.2.1:80/x",
        r"\Tools\ask",
    ],
)
def test_a_script_with_plain_arguments_is_called(command: str):
    """What it sets with `set` lasts for the rest of the startup."""
    assert line_as_typed(command) == f"call {command}"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=240))
def test_any_command_arrives_as_typed(command: str):
    """Every printable ASCII character."""
    line = line_as_typed(command)

    expected = f'X:\\Windows\\System32\\cmd.exe /s /c "{command}"'
    assert line == f"call {command}" or read_by_a_batch_file(line) == expected
