"""The configuration: config.yaml to settings, with every problem at its line."""
