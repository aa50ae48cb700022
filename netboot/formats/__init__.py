"""Bytes on disk, pure: INF, WIM, PE, BCD, hives, boot.sdi, catalogs, cpio, OCI, pcap, JPEG."""
