"""The content of boot media and disk packages."""
