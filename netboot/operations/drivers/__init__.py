"""The driver catalog: import, search, enable, compare."""
