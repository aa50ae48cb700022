"""How a process of the site starts: alone of its kind, on a network, known to who started it."""
