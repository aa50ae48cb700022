"""Pages of boots and of the boot network."""
