"""A site with images, drivers, versions and boots in it, made through the rooms below the pages.

Drivers are imported for real. Images and versions are rows and blobs as an import and a build
leave them, without the minutes that wimlib would take.
"""

import functools
import time

from netboot.boot.told.events import (
    AddressLearned,
    ContentServed,
    Discovered,
    OfferSent,
    PeOffline,
    PeReported,
    ScriptServed,
    TransferFinished,
)
from netboot.daemons.projector import catch_up
from netboot.images.architecture import Architecture
from netboot.images.boot_image import boot_image
from netboot.images.boot_image.description import ImageFacts
from netboot.images.versions.content_version import ContentVersion, DriverInVersion, ManifestFile
from netboot.operations.accounts import accounts
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.machines import fleet_results
from netboot.store.database.records import AccountRow, ImageRow, VersionRow
from netboot.store.images.rows import find_image, image_value
from vm.labpe.catalogs import write_catalog

PASSWORD = "correct horse battery"
NAMES = {"viewer": "vera", "operator": "otto", "admin": "ada"}

INF = """[Version]
Signature="$WINDOWS NT$"
Class={kind}
ClassGuid={guid}
Provider=%Maker%
DriverVer=03/11/2024,{version}
CatalogFile={name}.cat

[Manufacturer]
%Maker%=Models,{decorations}

{models}
[Install]
CopyFiles=Files

[Install.Services]
AddService={name},2,Service

[Service]
ServiceType=1
StartType=3
ErrorControl=1
ServiceBinary=%12%\\{name}.sys

[Files]
{name}.sys

[DestinationDirs]
DefaultDestDir=12

[SourceDisksNames]
1="Disk"

[SourceDisksFiles]
{name}.sys=1

[Strings]
Maker="{maker}"
Device="{device}"
"""

NETWORK = ("Net", "{4d36e972-e325-11ce-bfc1-08002be10318}")
STORAGE = ("SCSIAdapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}")
DISPLAY = ("Display", "{4d36e968-e325-11ce-bfc1-08002be10318}")
DECORATIONS = {Architecture.X64: "NTamd64", Architecture.X86: "NTx86"}


def write_driver(
    folder,
    name="nb1000",
    *,
    device="Lab Gigabit Adapter",
    maker="Lab Works",
    kind=NETWORK,
    ids=("PCI\\VEN_8086&DEV_100E",),
    architectures=(Architecture.X64,),
    version="1.2.3.4",
):
    """A driver package: an INF and the files that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    decorations = [DECORATIONS[architecture] for architecture in architectures]
    lines = "".join(f"%Device%=Install,{one}\n" for one in ids)
    inf = INF.format(
        name=name,
        kind=kind[0],
        guid=kind[1],
        device=device,
        maker=maker,
        version=version,
        decorations=",".join(decorations),
        models="".join(f"[Models.{decoration}]\n{lines}\n" for decoration in decorations),
    )
    program = b"MZ" + name.encode() * 64
    (folder / f"{name}.inf").write_text(inf)
    (folder / f"{name}.sys").write_bytes(program)
    (folder / f"{name}.cat").write_bytes(write_catalog([inf.encode(), program]))
    return folder


def add_driver(site, folder, name="nb1000", *, enabled=False, **description):
    """A driver in the catalog."""
    report = driver_import.import_drivers(site, write_driver(folder / name, name, **description))
    driver = report.new[0]
    return drivers.enable_driver(site, driver.digest) if enabled else driver


def add_image(site, name="Lab PE x64", architecture=Architecture.X64, *, is_lab=True, comment=""):
    """A boot image as an import leaves it."""
    source = site.blobs.add_bytes(f"source of {name}".encode())
    facts = ImageFacts(
        size=source.size,
        index=1,
        images=(),
        boot_index=1,
        architecture=architecture,
        compression="LZX",
        version="10.0.26100.1",
    )
    with site.database.writing() as session:
        session.add(
            ImageRow(
                name=name,
                slug=boot_image.slug(name),
                architecture=architecture.value,
                source_digest=source.digest,
                source_size=source.size,
                source_name="boot.wim",
                image_index=1,
                facts=facts.to_json(),
                properties={},
                comment=comment,
                is_lab=is_lab,
                created_at=time.time(),
            )
        )
    policy.adopt(site, name, architecture)
    return images.get_image(site, name)


def add_version(site, name="Lab PE x64", wim=None):
    """The image's next version, as a build leaves it; of the file `wim`, or of a few bytes."""
    with site.database.writing() as session:
        row = find_image(session, name)
        image = image_value(session, row)
        number = len(row.versions) + 1
        if wim is None:
            stored = site.blobs.add_bytes(f"{name} {number}".encode() * 1000)
        else:
            stored = site.blobs.add_file(wim)
        version = ContentVersion(
            image=row.name,
            number=number,
            architecture=image.architecture,
            recipe_digest=boot_image.recipe_digest(image),
            built_at=time.time(),
            files=(ManifestFile("boot.wim", stored.digest, stored.size),),
            chains=("linux",),
            drivers=tuple(
                DriverInVersion(driver.digest, driver.name, driver.version)
                for driver in image.drivers
            ),
        )
        row.versions.append(
            VersionRow(
                number=number,
                recipe_digest=version.recipe_digest,
                recipe={},
                manifest=version.to_json(),
                built_at=version.built_at,
            )
        )
    return version


@functools.cache
def _password_hash():
    """Hashing takes a quarter of a second on purpose; once is enough for all tests."""
    return accounts._hash(PASSWORD)


def add_accounts(site):
    """One account of each role, by role."""
    with site.database.writing() as session:
        for role, name in NAMES.items():
            session.add(
                AccountRow(name=name, password_hash=_password_hash(), role=role, created_at=1.0)
            )
    return {account.role: account for account in accounts.list_accounts(site)}


def boot_events(mac="52:54:00:12:34:56", *, at=None, image="Lab PE x64", version=1, online=True):
    """What the daemons tell of one whole boot."""
    at = time.time() - 40 if at is None else at
    who = {"mac": mac, "ip": "10.77.0.101"}
    began = (
        Discovered(at=at, mac=mac, architecture="x64", firmware="bios", stage="firmware"),
        OfferSent(at=at + 0.01, mac=mac, file="undionly.kpxe"),
        AddressLearned(at=at + 0.5, **who),
        TransferFinished(at=at + 1.2, **who, name="undionly.kpxe", size=72_000, seconds=0.2),
        ScriptServed(at=at + 4.0, **who, image=image, version=version),
        ContentServed(
            at=at + 6.0, **who, name="vmlinuz", size=8_000_000, seconds=1.0, image=image,
            version=version,
        ),
        ContentServed(
            at=at + 12.0, **who, name="boot.wim.cpio", size=54_000_000, seconds=5.5, image=image,
            version=version,
        ),
    )  # fmt: skip
    if online:
        end = PeReported(
            at=at + 30, **who, image=image, version=version, driver="e1000", device="eth0"
        )
    else:
        end = PeOffline(
            at=at + 30, mac=mac, image=image, version=version, missing="PCI\\VEN_8086&DEV_10D3"
        )
    return (*began, end)


def tell(site, *events):
    """Put events into the journal, and make rows of them as the projector does."""
    for event in events:
        site.journal.emit(event)
    assert site.journal.flush()
    catch_up(site)


def compute(site):
    """Let the site's results be current, as on a site whose worker has nothing left to do."""
    catch_up(site)
    fleet_results.refresh_all(site)


def furnish(site, folder):
    """A site as it looks after a morning's work."""
    e1000 = add_driver(site, folder, "e1000", device="Intel PRO/1000", maker="Intel", enabled=True)
    add_driver(
        site,
        folder,
        "vioscsi",
        device="VirtIO SCSI",
        maker="Red Hat",
        kind=STORAGE,
        ids=("PCI\\VEN_1AF4&DEV_1004",),
        enabled=True,
    )
    add_driver(site, folder, "netkvm", device="VirtIO network", maker="Red Hat",
               ids=("PCI\\VEN_1AF4&DEV_1000", "PCI\\VEN_1AF4&DEV_1041"))  # fmt: skip
    add_driver(site, folder, "vga", device="Some display", kind=DISPLAY, enabled=True)
    add_driver(site, folder, "rtl8139", device="Realtek 8139", maker="Realtek", enabled=True,
               ids=("PCI\\VEN_10EC&DEV_8139",), architectures=(Architecture.X86,))  # fmt: skip
    add_image(site, comment="The lab's own image")
    first = add_version(site)
    site.point.update(first, site.blobs, now=time.time())
    images.add_driver(site, "Lab PE x64", e1000.digest)
    add_version(site)
    add_image(site, "Lab PE x86", Architecture.X86)
    site.point.update(add_version(site, "Lab PE x86"), site.blobs, now=time.time())
    add_image(site, "Windows PE 11", is_lab=False)
    now = time.time()
    tell(
        site,
        *boot_events(at=now - 900),
        *boot_events("52:54:00:aa:bb:cc", at=now - 300, online=False),
        *boot_events("52:54:00:00:00:01", at=now - 9)[:-2],
    )
    compute(site)
