"""Distribution points and stored content over the API."""
