"""Who asks for a boot, which program it gets, and the bytes of the DHCP reply."""
