"""`netboot driver`."""
