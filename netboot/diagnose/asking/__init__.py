"""Asks the network as a machine would: DHCP with scapy, files with tftpy and httpx."""
