"""`netboot account`, `netboot audit` and `netboot webhook`."""
