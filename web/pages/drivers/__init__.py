"""Pages of the driver catalog."""
