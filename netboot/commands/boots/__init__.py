"""`netboot boots` and `netboot network`."""
