"""From evidence to findings, verdict and cure, without a socket."""
