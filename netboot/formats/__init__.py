"""Bytes on disk, pure: WIM, INF, PE, BCD."""
