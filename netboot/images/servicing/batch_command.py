r"""A command as typed at a prompt, as a line of a batch file that runs exactly that.

cmd.exe reads a line of a batch file with other rules than one that is typed: `%20` and a lone `%`
vanish, and `call` reads the line twice, which also doubles carets in quotes and takes `/?` for its
own. So the line starts a command interpreter of its own and hands it the command: `/c` reads it as
typed, and with `/s` it takes away exactly the outer quotes. A script or program with plain
arguments means the same to `call`, and what it sets with `set` then lasts.

References: `cmd /?` and `call /?` of Windows; Microsoft's "cmd" (quotes with /s and /c).
"""

import re

LONGEST_LINE = 8191
"""Characters of a line that cmd.exe runs, variables replaced (Microsoft, KB830473)."""

_PLAIN = re.compile(
    r"(?:%(?:SystemRoot|SystemDrive|windir)%|[A-Z]:)?"
    r"[\w\\.-]*[\\.][\w\\.-]+(?: [\w\\./:,;=+@-]+)*",
    re.ASCII | re.IGNORECASE,
)
"""A file with its folder or its ending (not `if` or `echo`), and arguments without operators."""

_INTERPRETER = r"%SystemRoot%\System32\cmd.exe /s /c"
_OPERATORS = frozenset("&|<>()^")


def line_as_typed(command: str) -> str:
    """The line of a batch file that runs `command`."""
    if _PLAIN.fullmatch(command):
        return f"call {command}"
    return f'{_INTERPRETER} "{_for_batch_file(command)}"'


def _for_batch_file(command: str) -> str:
    quoted = True  # by the quote that opens the argument of /c
    text = []
    for letter in command:
        if letter == '"':
            quoted = not quoted
        if letter == "%":
            text.append("%%")
        elif letter in _OPERATORS and not quoted:
            text.append(f"^{letter}")
        else:
            text.append(letter)
    return "".join(text)
