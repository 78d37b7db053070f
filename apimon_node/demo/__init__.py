"""The demo: a board that lives, and a Jira-shaped server to ask about it."""
