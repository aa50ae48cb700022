"""Content versions, how two differ, and what a distribution point should hold."""
