"""netboot: a network-boot lab server for Windows PE, its images and its drivers."""
