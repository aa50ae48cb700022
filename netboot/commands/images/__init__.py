"""`netboot image` and `netboot media`."""
