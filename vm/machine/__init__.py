"""One virtual machine: its firmware, its consoles, its QEMU process."""
