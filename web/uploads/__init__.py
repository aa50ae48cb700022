"""Large uploads: the tus protocol, and the folder that keeps files until a job takes them."""
