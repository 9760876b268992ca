"""A run: its directory, its events, the state they fold into, and the child process that writes them."""
