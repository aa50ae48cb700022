"""netboot: a network-boot lab server for Windows PE, its images and its drivers."""

__version__ = "0.2.0"
