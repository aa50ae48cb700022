"""Pages of content versions."""
