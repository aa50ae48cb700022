"""An independent look at a boot network: netboot check."""
