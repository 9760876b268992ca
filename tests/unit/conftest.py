"""Settings of the unit tests."""

from __future__ import annotations

from hypothesis import settings

# No deadline: a busy machine is no failure. Derandomised: what passes here passes in CI.
settings.register_profile("tunewiz", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("tunewiz")
