"""Driver packages for tests: an INF and its files, as a vendor would ship them."""

from hashlib import sha256

from netboot.formats import pe
from netboot.images.drivers.package import AvailableFile, make_driver, plan
from tests.formats.catalogs import authenticode, catalog, member
from tests.formats.programs import program

INF = """\
[Version]
Signature = "$Windows NT$"
Class = {class_name}
ClassGuid = {{{class_guid}}}
Provider = %Vendor%
DriverVer = {driver_ver}
CatalogFile = {name}.cat

[Manufacturer]
%Vendor% = Devices, {targets}

{models}
[Install.NT]
CopyFiles = Copy

[Install.NT.Services]
AddService = {name}, 2, Service

[Service]
ServiceBinary = %12%\\{name}.sys

[Copy]
{name}.sys

[SourceDisksNames]
1 = "Disk"

[SourceDisksFiles]
{name}.sys = 1

[Strings]
Vendor = "{vendor}"
"""

NET = ("Net", "4d36e972-e325-11ce-bfc1-08002be10318")
SCSI = ("SCSIAdapter", "4d36e97b-e325-11ce-bfc1-08002be10318")
DISPLAY = ("Display", "4d36e968-e325-11ce-bfc1-08002be10318")


def inf_text(
    name="acme",
    *,
    ids=("PCI\\VEN_8086&DEV_10D3",),
    targets=("NTamd64",),
    driver_ver="01/02/2020,1.2.3.4",
    kind=NET,
    vendor="Acme, Ltd.",
):
    """The text of an INF that claims `ids` on each of the targets."""
    lines = "\n".join(f"%Vendor% = Install, {identifier}" for identifier in ids)
    models = "".join(f"[Devices.{target}]\n{lines}\n\n" for target in targets)
    class_name, class_guid = kind
    return INF.format(
        name=name,
        class_name=class_name,
        class_guid=class_guid,
        driver_ver=driver_ver,
        targets=", ".join(targets),
        models=models,
        vendor=vendor,
    )


def package_files(name="acme", *, machine="amd64", with_catalog=True, signed=False, **inf):
    """The files of a package by name."""
    files = {
        f"{name}.inf": inf_text(name, **inf).encode(),
        f"{name}.sys": program(machine, signed=signed, payload=name.encode()),
    }
    if with_catalog:
        files[f"{name}.cat"] = catalog_for(files)
    return files


def catalog_for(files):
    """A catalog file that vouches for all of these, as inf2cat would make it."""
    members = []
    for data in files.values():
        spans = ()
        if data.startswith(b"MZ"):
            spans = pe.parse(data[: pe.HEADER_BYTES], size=len(data)).unsigned_spans
        digest = authenticode(data, spans) if spans else sha256(data).digest()
        members.append(member(digest, program=bool(spans)))
    return catalog(*members)


def available(path, data):
    """A file as the package rules see it."""
    machine, signed = "", False
    if data.startswith(b"MZ"):
        facts = pe.parse(data[: pe.HEADER_BYTES], size=len(data))
        machine, signed = facts.machine, facts.signed
    digest = sha256(data)
    names = frozenset({digest.digest()})
    return AvailableFile(path, f"sha256:{digest.hexdigest()}", len(data), machine, signed, names)


def listing(files):
    """A folder's files as the package rules see them."""
    return [available(path, data) for path, data in files.items()]


def package(inf, inf_name, available):
    """The driver of an INF with these files, in one step; its catalog file lists them all."""
    files = {file.path: file for file in available}
    spelling = {path.casefold(): path for path in files}
    planned = plan(inf, inf_name, lambda path: spelling.get(path.casefold()))
    listed = frozenset().union(*(file.names for file in available))
    return make_driver(inf, inf_name, planned, files, listed if planned.catalog else None)
