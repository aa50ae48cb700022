"""Sockets, and nowhere else: DHCP, TFTP and HTTP daemons."""
