import pytest

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from vm.administrator import Administrator


def test_a_command_that_fails_carries_its_words(tmp_path):
    """What the command line said is in the fault."""
    administrator = Administrator(tmp_path / "data", None)

    with pytest.raises(OperatorFault, match="image build Nothing ended with 2") as caught:
        administrator.netboot("image", "build", "Nothing")

    assert "Nothing" in str(caught.value)


@pytest.mark.vm
def test_an_added_driver_is_served_only_after_the_update(lab_pe, tmp_path):
    """Version 2 exists after the build; clients get it when the points are updated."""
    administrator = Administrator(tmp_path / "data", lab_pe)
    administrator.provide_defaults()
    x64 = Architecture.X64
    assert administrator.served(x64) == 1

    administrator.add_driver(x64, "e1000")
    assert administrator.build(x64) == 2
    assert administrator.served(x64) == 1

    administrator.update_points(x64)
    assert (administrator.served(x64), administrator.served(Architecture.X86)) == (2, 1)
