"""The machine: its hardware, how it fares while a run goes on, what it computes fast, what is installed."""
