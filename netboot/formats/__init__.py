"""Bytes on disk, pure: INF, WIM, PE, BCD, registry hives, boot.sdi, catalogs, cpio, pcap, JPEG."""
