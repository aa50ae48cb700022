"""WIM files: header, names and XML, read without trust."""
