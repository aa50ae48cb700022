"""The TFTP server: sockets, transfers and limits."""
