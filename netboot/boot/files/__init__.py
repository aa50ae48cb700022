"""What a file name means for one client, and the scripts that iPXE and GRUB run."""
