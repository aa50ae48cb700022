"""Virtual machines that try a boot: the Lab PE, its network, and the proof."""
