"""The machine: what it tells, and what that means for strips."""
