"""`python -m web` on the command line."""

import socket

import pytest

from web.__main__ import main


@pytest.mark.loopback
def test_a_port_that_is_taken_is_two_lines_and_exit_code_2(tmp_path, capfd):
    """Who holds it, and what to do; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        code = main(
            ["--data", str(tmp_path / "data"), "--address", "127.0.0.1", "--port", str(port)]
        )
    said = capfd.readouterr().err

    assert code == 2
    assert f"TCP port {port} of 127.0.0.1 is taken by " in said
    assert "-> Stop that program" in said
    assert "Traceback" not in said


def test_an_address_of_another_machine_is_refused(tmp_path, capfd):
    """With the setting's name."""
    code = main(["--data", str(tmp_path / "data"), "--address", "192.0.2.1", "--port", "8080"])

    assert code == 2
    assert "web_address" in capfd.readouterr().err


def test_settings_that_cannot_be_used_are_told(tmp_path, capfd):
    """The setting is named."""
    (tmp_path / "netboot.toml").write_text("web_port = 0\n")

    assert main(["--data", str(tmp_path)]) == 2
    assert "web_port" in capfd.readouterr().err
