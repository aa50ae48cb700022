"""Boot media and boot programs, made with Debian's tools."""
