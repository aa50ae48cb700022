"""Boot images: sources, drivers, properties and names."""
