"""What can train a preset. Heavy libraries are imported only inside functions that run in the child process."""
