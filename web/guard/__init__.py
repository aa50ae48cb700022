"""Who may do what, and what every request and answer is checked for."""
