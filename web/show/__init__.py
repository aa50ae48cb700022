"""How pages show things: values, charts and lists made from the results of operations."""
