"""Drivers between the catalog's value and the database's row.

Pydantic's adapter writes and reads the whole value; the columns beside it are what lists are
filtered and sorted by.
"""

import time
from functools import cache

from pydantic import TypeAdapter

from netboot.images.driver import Driver
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
        package=_adapter().dump_python(driver, mode="json"),
    )


def id_rows(driver: Driver) -> list[HardwareIdRow]:
    """The rows by which the driver's ids are found."""
    return [
        HardwareIdRow(driver_digest=driver.digest, hardware_id=hardware_id)
        for hardware_id in dict.fromkeys(i[:255] for i in driver.hardware_ids)
    ]


def driver_value(row: DriverRow) -> Driver:
    """The driver that a row holds, enabled or not as the row says."""
    return _adapter().validate_python({**row.package, "enabled": row.enabled})


@cache
def _adapter() -> TypeAdapter[Driver]:
    return TypeAdapter(Driver)
