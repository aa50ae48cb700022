"""The lab's private network: namespaces, switch, and the daemons in it."""
