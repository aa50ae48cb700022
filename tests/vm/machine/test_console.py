import pytest

from vm.machine.console import ConsoleReader, LabLine, hopeless, lab_lines, plain

SERIAL = (
    "\x1b[2J\x1b[01;01HiPXE initialising devices...ok\r\n"
    "LABPE 3.41 START arch=x64 firmware=bios\r\n"
    "[    4.1] LABPE 4.30 IMAGE version=7 build=ab name=Lab PE x64\r\n"
    "LABPE 5.08 DONE result=offline reason=no-driver\r\n"
)


def test_lines_of_the_lab_pe_are_found_among_others():
    """Escapes, carriage returns and kernel messages do not hide them."""
    assert [line.key for line in lab_lines(SERIAL)] == ["START", "IMAGE", "DONE"]


def test_fields_are_words_and_a_name_to_the_end():
    """`name=` takes the rest of its line, blanks included."""
    line = lab_lines(SERIAL)[1]

    assert line.fields == {"version": "7", "build": "ab", "name": "Lab PE x64"}


def test_a_line_prints_as_it_was_said():
    """What goes into the job's log is the console's line."""
    text = "LABPE 5.08 DONE result=offline reason=no-driver"

    assert text == str(LabLine(5.08, "DONE", "result=offline reason=no-driver"))


def test_the_reader_takes_bytes_one_by_one():
    """Lines come whole, once each, however the bytes are cut."""
    reader = ConsoleReader()
    found = [line for byte in SERIAL.encode() for line in reader.receive(bytes([byte]))[0]]

    assert list(lab_lines(SERIAL)) == found
    assert reader.text == SERIAL


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("No bootable device.\r\n", "BIOS"),
        ("Kernel panic - not syncing: Attempted to kill init!\r\n", "Attempted to kill init"),
        ("Initramfs unpacking failed: invalid magic\r\n", "invalid magic"),
        ("No more network devices\r\n", "iPXE"),
        ("grub> ", "GRUB"),
        ("grub rescue> ", "GRUB"),
        ("Shell> ", "shell"),
    ],
)
def test_ends_without_hope_are_known(said, word):
    """Prompts and last words of firmware, loaders and kernel, with their reason."""
    assert word in ConsoleReader().receive(said.encode())[1]


@pytest.mark.parametrize(
    "said",
    [
        "error: file `/grub/x86_64-efi/terminal.lst' not found.\r\n",
        'BdsDxe: failed to load Boot0001 "UEFI PXEv4"\r\n',
        "Kernel panic - not syn",
        "echo grub> and more\r\n",
    ],
)
def test_harmless_words_are_not_the_end(said):
    """Errors on the way to a good boot, and lines that are not whole yet."""
    assert ConsoleReader().receive(said.encode())[1] == ""


def test_a_healthy_boot_has_hope():
    """Nothing in a good serial log reads as hopeless."""
    assert hopeless(plain(SERIAL)) == ""
