"""A wall light for tickets: from Jira, over MQTT, onto a strip of LEDs."""

__version__ = "0.1.0"
