import json

import pytest

from vm import labpe
from vm.labpe.__main__ import main


def test_paths_of_a_build_that_is_not_there(monkeypatch, tmp_path, capsys):
    """The operator is told how to make one; exit code 2."""
    monkeypatch.setenv(labpe.CACHE_VARIABLE, str(tmp_path))

    assert main(["paths"]) == 2
    assert "python -m vm.labpe build" in capsys.readouterr().err


@pytest.mark.vm
def test_paths_as_json_name_files_that_exist(lab_pe, capsys):
    """Programs find image, kernel, initrd and every driver folder."""
    assert main(["paths", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert str(lab_pe.folder / "x64" / "boot.wim") == told["x64"]["wim"]
    assert set(lab_pe.drivers) == set(told["x86"]["drivers"])


@pytest.mark.vm
def test_a_damaged_build_is_not_used(lab_pe, monkeypatch, tmp_path, capsys):
    """A file that is not as its checksum says makes the build count as absent."""
    copy = tmp_path / "labpe" / lab_pe.folder.name
    (copy / "x64").mkdir(parents=True)
    (copy / "SHA256SUMS").write_bytes((lab_pe.folder / "SHA256SUMS").read_bytes())
    monkeypatch.setenv(labpe.CACHE_VARIABLE, str(tmp_path))

    assert main(["paths"]) == 2
    assert "is damaged" in capsys.readouterr().out
