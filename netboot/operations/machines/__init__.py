"""Known machines: their devices, the image each gets, and which drivers they lack."""
