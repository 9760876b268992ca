"""How the terminal is dealt with: what it can show, how the screen looks on it, and what is sent to it."""
