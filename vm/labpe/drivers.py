"""The Lab PE's driver packages: real INF files whose payload is Linux modules.

To the catalog a package looks like any vendor's: one INF with an architecture decoration, hardware
IDs, CopyFiles, a service, a catalog file. The Lab PE loads the files in the order of CopyFiles, so
that is the load order of the modules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import HDC_CLASS, NETWORK_CLASS, SCSI_CLASS
from vm.labpe.catalogs import write_catalog
from vm.labpe.modules import KernelModules

DECORATION = {Architecture.X64: "NTamd64", Architecture.X86: "NTx86"}
CLASS_NAME = {NETWORK_CLASS: "Net", SCSI_CLASS: "SCSIAdapter", HDC_CLASS: "HDC"}
DATE = "01/15/2026"


@dataclass(frozen=True, slots=True)
class DriverPackage:
    """The content of one package: `ids` are `vendor:device`, `modules` Linux module names."""

    name: str
    class_guid: str
    description: str
    ids: tuple[str, ...]
    modules: tuple[str, ...]
    utf16: bool = False


def _net(name: str, description: str, ids: str, modules: str) -> DriverPackage:
    # One package uses UTF-16, like those of many vendors.
    utf16 = name == "vmxnet3"
    return DriverPackage(
        name, NETWORK_CLASS, description, tuple(ids.split()), tuple(modules.split()), utf16
    )


def _disk(name: str, description: str, ids: str, modules: str) -> DriverPackage:
    kind = HDC_CLASS if name in {"ahci", "piix"} else SCSI_CLASS
    return DriverPackage(name, kind, description, tuple(ids.split()), tuple(modules.split()))


# QEMU's rtl8139 is an 8139C+, hence 8139cp. The virtio drivers use no symbol of virtio_pci, so
# their `.modinfo` does not name it.
PACKAGES = (
    _net("e1000", "Intel PRO/1000 MT", "8086:100E 8086:100F 8086:1008", "e1000"),
    _net("e1000e", "Intel 82574L Gigabit", "8086:10D3", "e1000e"),
    _net("rtl8139", "Realtek RTL8139C+", "10EC:8139", "8139cp"),
    _net("netkvm", "Virtio Ethernet", "1AF4:1000 1AF4:1041", "virtio_pci virtio_net"),
    _net("vmxnet3", "VMware vmxnet3 Ethernet", "15AD:07B0", "vmxnet3"),
    _net("pcnet", "AMD PCnet Family", "1022:2000", "pcnet32"),
    _net("ne2kpci", "Realtek RTL8029 PCI", "10EC:8029", "ne2k-pci"),
    _net("e100", "Intel PRO/100", "8086:1209 8086:1229 8086:2449", "e100"),
    _net("tulip", "DEC 21143 Tulip", "1011:0019", "tulip"),
    _net("igb", "Intel 82576 Gigabit", "8086:10C9", "igb"),
    _disk("ahci", "Intel ICH9 AHCI", "8086:2922", "ahci sd_mod"),
    _disk("piix", "Intel PIIX3 IDE", "8086:7010", "ata_piix sd_mod"),
    _disk("nvme", "NVM Express", "1B36:0010 8086:5845", "nvme"),
    _disk("viostor", "Virtio block", "1AF4:1001 1AF4:1042", "virtio_pci virtio_blk"),
    _disk("vioscsi", "Virtio SCSI", "1AF4:1004 1AF4:1048", "virtio_pci virtio_scsi sd_mod"),
    _disk("lsi53c895a", "LSI 53C895A SCSI", "1000:0012", "sym53c8xx sd_mod"),
    _disk("megasas", "LSI MegaRAID SAS", "1000:0060 1000:0079", "megaraid_sas sd_mod"),
    _disk("pvscsi", "VMware PVSCSI", "15AD:07C0", "vmw_pvscsi sd_mod"),
)


def inf_text(
    package: DriverPackage, architecture: Architecture, files: Sequence[str], version: str
) -> str:
    """The INF of a package for one architecture; `files` in load order, `version` as w.x.y.z."""
    decoration = DECORATION[architecture]
    name = package.name
    ids = [f"PCI\\VEN_{i[:4]}&DEV_{i[5:]}" for i in package.ids]
    blocks = {
        "Version": [
            'Signature = "$Windows NT$"',
            f"Class = {CLASS_NAME[package.class_guid]}",
            f"ClassGuid = {{{package.class_guid}}}",
            "Provider = %Lab%",
            f"DriverVer = {DATE},{version}",
            f"CatalogFile = {name}.cat",
        ],
        "Manufacturer": [f"%Lab% = LabPE, {decoration}"],
        f"LabPE.{decoration}": [f"%Device% = Install, {i}" for i in ids],
        "Install.NT": ["CopyFiles = Payload"],
        "Install.NT.Services": [f"AddService = {name}, 0x00000002, Service"],
        "Service": [
            "DisplayName = %Device%",
            "ServiceType = 1",
            "StartType = 3",
            "ErrorControl = 1",
            f"ServiceBinary = %12%\\{files[-1]}",
        ],
        "Payload": list(files),
        "DestinationDirs": ["Payload = 12"],
        "SourceDisksNames": ["1 = %Lab%"],
        "SourceDisksFiles": [f"{file} = 1" for file in files],
        "Strings": ['Lab = "Lab PE"', f'Device = "{package.description} (Lab PE)"'],
    }
    head = "; A driver package of the Lab PE: a real INF whose payload is Linux modules."
    sections = ("\r\n".join([f"[{title}]", *lines, ""]) for title, lines in blocks.items())
    return "\r\n".join([head, "", *sections])


def write_package(
    package: DriverPackage,
    architecture: Architecture,
    folder: Path,
    *,
    modules: KernelModules,
    version: str,
) -> None:
    payload = modules.load_order(package.modules)
    folder.mkdir(parents=True)
    for module in payload:
        (folder / module.name).write_bytes(module.data)
    text = inf_text(package, architecture, [module.name for module in payload], version)
    encoded = b"\xff\xfe" + text.encode("utf-16-le") if package.utf16 else text.encode("ascii")
    (folder / f"{package.name}.inf").write_bytes(encoded)
    catalog = write_catalog([encoded, *(module.data for module in payload)])
    (folder / f"{package.name}.cat").write_bytes(catalog)
