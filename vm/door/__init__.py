"""The lab's Unix socket, where the site asks for test machines and checks."""
