"""`netboot machine`, `netboot deployment` and `netboot test-machine`."""
