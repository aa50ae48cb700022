"""A boot image: its source, its properties, its secrets and its boot loaders."""
