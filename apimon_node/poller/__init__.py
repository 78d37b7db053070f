"""The poller: what to ask Jira and to publish, when."""
