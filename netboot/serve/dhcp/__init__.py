"""The proxyDHCP server's sockets: UDP 67 and 4011."""
