"""Drivers between the catalog's value and the database's row."""

import time
from typing import Any

from netboot.images.architecture import Architecture
from netboot.images.driver import Driver, DriverFile, Model
from netboot.store.records import DriverRow, HardwareIdRow


def driver_row(driver: Driver) -> DriverRow:
    """A new row for a driver that was imported now."""
    return DriverRow(
        digest=driver.digest,
        name=driver.name,
        provider=driver.provider[:255],
        kind=driver.kind.value,
        class_name=driver.class_name[:64],
        version=driver.version[:64],
        date=driver.date,
        architectures=",".join(sorted(driver.architectures)),
        size=driver.size,
        enabled=driver.enabled,
        imported_at=time.time(),
        package=_package(driver),
    )


def id_rows(driver: Driver) -> list[HardwareIdRow]:
    """The rows by which the driver's ids are found."""
    return [
        HardwareIdRow(driver_digest=driver.digest, hardware_id=hardware_id[:255])
        for hardware_id in dict.fromkeys(i[:255] for i in driver.hardware_ids)
    ]


def driver_value(row: DriverRow) -> Driver:
    """The driver that a row holds."""
    data = row.package
    return Driver(
        digest=row.digest,
        name=row.name,
        inf_name=data["inf_name"],
        provider=row.provider,
        class_name=row.class_name,
        class_guid=data["class_guid"],
        version=row.version,
        date=row.date,
        architectures=frozenset(Architecture(a) for a in row.architectures.split(",") if a),
        models=tuple(_model(model) for model in data["models"]),
        files=tuple(DriverFile(*file) for file in data["files"]),
        catalog_file=data["catalog_file"],
        findings=tuple(data["findings"]),
        enabled=row.enabled,
    )


def _package(driver: Driver) -> dict[str, Any]:
    return {
        "inf_name": driver.inf_name,
        "class_guid": driver.class_guid,
        "catalog_file": driver.catalog_file,
        "findings": list(driver.findings),
        "files": [[file.path, file.digest, file.size] for file in driver.files],
        "models": [
            [
                model.architecture.value,
                model.description,
                list(model.hardware_ids),
                list(model.compatible_ids),
                model.service,
                model.minimum_build,
            ]
            for model in driver.models
        ],
    }


def _model(data: list[Any]) -> Model:
    architecture, description, hardware_ids, compatible_ids, service, minimum_build = data
    return Model(
        architecture=Architecture(architecture),
        description=description,
        hardware_ids=tuple(hardware_ids),
        compatible_ids=tuple(compatible_ids),
        service=service,
        minimum_build=minimum_build,
    )
