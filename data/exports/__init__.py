"""What programs write out in a way of their own (messengers, help desks, benchmarks), brought into plain rows."""
