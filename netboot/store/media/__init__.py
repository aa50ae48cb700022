"""Boot media and boot programs, made by Debian's tools."""
