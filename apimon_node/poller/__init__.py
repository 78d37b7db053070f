"""Jira: what to ask and to publish (pure), and the client around python-jira."""
