"""What the wizard's screen is made of: its steps with their views, and what is found out in the background."""
