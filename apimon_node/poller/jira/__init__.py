"""The client of a Jira."""
