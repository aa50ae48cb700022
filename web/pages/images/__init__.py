"""Pages of boot images."""
