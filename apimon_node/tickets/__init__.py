"""What is true: tickets, snapshots of a board, and what is current, overdue or stale. Pure."""
