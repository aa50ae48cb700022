"""The lab's Unix socket, where the site requests test machines and checks."""
