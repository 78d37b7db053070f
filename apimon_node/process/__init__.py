"""The process: systemd, signals, the log, calls in the background, credentials."""
