"""What the wizard's screen is made of: its state, the views of its steps, and what is found out in the background."""
