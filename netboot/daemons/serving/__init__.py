"""The networks that a process serves while it runs: followed, opened, closed, and told of."""
