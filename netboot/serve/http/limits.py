"""How much of the boot port one HTTP client, or all together, may use."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds, sizes in bytes."""

    connections: int = 1024
    connections_per_source: int = 64
    requests_per_connection: int = 1000
    head_time: float = 10.0
    idle_time: float = 30.0
    body_time: float = 30.0
    stall_time: float = 60.0
    body: int = 64 * 1024
    drain_time: float = 10.0

    def share(self, workers: int) -> "HttpLimits":
        """The limits of one of several worker processes (see TftpLimits.share)."""
        return replace(
            self,
            connections=max(1, self.connections // workers),
            connections_per_source=max(1, self.connections_per_source // workers),
        )
