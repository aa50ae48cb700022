"""iPXE scripts are followed only where every machine goes."""

import pytest

from netboot.diagnose.asking.script import chained_for_certain, expanded, files_named

KNOWN = {"next-server": "10.0.0.2", "net0/mac": "02:6e:62:00:00:01"}


def test_known_settings_are_put_in() -> None:
    assert expanded("tftp://${next-server}/${x}", KNOWN) == "tftp://10.0.0.2/${x}"


def test_files_are_those_that_can_be_named_here() -> None:
    script = "#!ipxe\nkernel -n a k1 x=y\n  initrd http://${next-server}/i\nchain ${what}\n"

    assert files_named(script, KNOWN) == ["k1", "http://10.0.0.2/i"]


@pytest.mark.parametrize(
    ("lines", "onward"),
    [
        ("chain a.ipxe", "a.ipxe"),
        ("chain --replace --autofree a.ipxe foo=bar", "a.ipxe"),
        ("chain -n name --timeout 3000 a.ipxe || shell", "a.ipxe"),
        ("boot http://h/a", "http://h/a"),
        ("boot", ""),
        ("imgexec loaded", ""),
        ("chain http://${next-server}/a", "http://10.0.0.2/a"),
        ("chain http://${unknown}/a", ""),
        ("set where http://h\nchain ${where}/a", "http://h/a"),
        ("iseq 1 1 && set where http://h || set where http://i\nchain ${where}/a", ""),
        ("dhcp || goto failed\nchain a\n:failed\nshell", "a"),
        ("dhcp && goto on || goto failed\n:failed\nshell\n:on\nchain a", "a"),
        ("isset ${net0/ip} || dhcp\nchain a", "a"),
        ("isset ${x} && goto on || chain a\n:on", ""),
        ("goto on\nchain b\n:on\nchain a", "a"),
        ("goto nowhere\nchain a", ""),
        (":round\ngoto round", ""),
        ("echo hello && chain a", "a"),
        ("menu Boot\nitem x X\nchoose it\nchain a", ""),
        ("prompt --key m Menu && goto menu ||\nchain a\n:menu\nshell", ""),
        ("exit\nchain a", ""),
        ("sanboot http://h/x\nchain a", ""),
        ("# chain b\nchain a", "a"),
        ("chain", ""),
        ("", ""),
    ],
)
def test_what_every_machine_goes_on_to(lines: str, onward: str) -> None:
    assert chained_for_certain(f"#!ipxe\n{lines}\n", KNOWN) == onward
