"""Bytes on the wire, pure: DHCP, PXE, TFTP, HTTP ranges."""
