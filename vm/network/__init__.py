"""The lab's private network: namespaces, switch, DHCP server."""
