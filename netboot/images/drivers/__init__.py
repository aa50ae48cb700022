"""Driver packages and devices: which driver a device gets, as Windows decides it."""
