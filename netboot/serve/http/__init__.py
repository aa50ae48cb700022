"""The boot port's HTTP server: connections, limits and routes."""
