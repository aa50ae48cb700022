"""From evidence to findings, verdict and remedy, without a socket."""
