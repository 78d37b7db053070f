"""What Home Assistant takes in a device's discovery: facts of 2025.10.0 and 2026.11.0, read from their schemas.

Names are those of the schemas (`components/mqtt/schemas.py`, `config.py` and one module for each platform), and of the
abbreviations only what we use is listed; both releases have the same.
"""

OLDEST, NEWEST = "2025.10", "2026.11"

ABBREVIATIONS = {
    "avty": "availability",
    "cmd_t": "command_topic",
    "cmps": "components",
    "cont_type": "content_type",
    "def_ent_id": "default_entity_id",
    "dev": "device",
    "dev_cla": "device_class",
    "en": "enabled_by_default",
    "ent_cat": "entity_category",
    "evt_typ": "event_types",
    "fx_list": "effect_list",
    "ic": "icon",
    "img_t": "image_topic",
    "json_attr_t": "json_attributes_topic",
    "json_attr_tpl": "json_attributes_template",
    "o": "origin",
    "ops": "options",
    "p": "platform",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "pl_prs": "payload_press",
    "stat_cla": "state_class",
    "stat_t": "state_topic",
    "sup_clrm": "supported_color_modes",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
DEVICE_ABBREVIATIONS = {"ids": "identifiers", "mf": "manufacturer", "mdl": "model", "sw": "sw_version"}
ORIGIN_ABBREVIATIONS = {"sw": "sw_version"}

ROOT = {
    OLDEST: frozenset(
        {
            "availability",
            "availability_mode",
            "availability_template",
            "availability_topic",
            "command_topic",
            "components",
            "device",
            "encoding",
            "origin",
            "payload_available",
            "payload_not_available",
            "qos",
            "state_topic",
        }
    ),
}
ROOT[NEWEST] = ROOT[OLDEST] | {"child_devices", "message_expiry_interval"}
"""Any other key, also in the next three, and the whole device is refused."""

DEVICE = frozenset(
    {
        "configuration_url",
        "connections",
        "hw_version",
        "identifiers",
        "manufacturer",
        "model",
        "model_id",
        "name",
        "serial_number",
        "suggested_area",
        "sw_version",
        "via_device",
    }
)
ORIGIN = frozenset({"name", "support_url", "sw_version"})
AVAILABILITY = frozenset({"payload_available", "payload_not_available", "topic", "value_template"})

ROOT_REQUIRED = frozenset({"components", "device", "origin"})
DEVICE_REQUIRED = frozenset({"identifiers", "name"})  # a name only by a line in the log
ORIGIN_REQUIRED = frozenset({"name"})

SHARED = {
    OLDEST: frozenset(
        {
            "availability",
            "availability_mode",
            "availability_template",
            "availability_topic",
            "default_entity_id",
            "enabled_by_default",
            "encoding",
            "entity_category",
            "entity_picture",
            "icon",
            "json_attributes_template",
            "json_attributes_topic",
            "name",
            "object_id",
            "payload_available",
            "payload_not_available",
            "platform",
            "qos",
            "unique_id",
        }
    ),
}
SHARED[NEWEST] = (SHARED[OLDEST] - {"object_id"}) | {"group", "message_expiry_interval", "visible_by_default"}
"""Keys of every component; others are dropped without a word."""

PLATFORMS = {
    "binary_sensor": frozenset(
        {
            "device_class",
            "expire_after",
            "force_update",
            "off_delay",
            "payload_off",
            "payload_on",
            "state_topic",
            "value_template",
        }
    ),
    "button": frozenset({"command_template", "command_topic", "device_class", "payload_press", "retain"}),
    "event": frozenset({"device_class", "event_types", "state_topic", "value_template"}),
    "image": frozenset({"content_type", "image_encoding", "image_topic", "url_template", "url_topic"}),
    "light": frozenset(
        {
            "brightness",
            "brightness_scale",
            "color_temp_kelvin",
            "command_topic",
            "effect",
            "effect_list",
            "flash",
            "flash_time_long",
            "flash_time_short",
            "max_kelvin",
            "max_mireds",
            "min_kelvin",
            "min_mireds",
            "optimistic",
            "retain",
            "schema",
            "state_topic",
            "supported_color_modes",
            "transition",
            "white_scale",
        }
    ),
    "sensor": frozenset(
        {
            "device_class",
            "expire_after",
            "force_update",
            "last_reset_value_template",
            "options",
            "state_class",
            "state_topic",
            "suggested_display_precision",
            "unit_of_measurement",
            "value_template",
        }
    ),
}
"""Further keys of a platform. The light is that of the JSON schema; without `schema` it would be another."""

REQUIRED = {
    "binary_sensor": {"state_topic"},
    "button": {"command_topic"},
    "event": {"event_types", "state_topic"},
    "image": {"image_topic"},  # or url_topic, with which content_type is refused
    "light": {"command_topic", "schema"},
    "sensor": {"state_topic"},
}
"""Keys without which a component is refused, beside platform and unique_id."""

DEVICE_CLASSES = {
    "binary_sensor": {"connectivity", "problem"},
    "button": {"identify", "restart", "update"},
    "sensor": {"current", "enum", "timestamp"},
}
"""Of buttons all, of sensors those that concern us."""

STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
UNITS = {"current": {"A", "mA"}}
CATEGORIES = {
    "binary_sensor": {"diagnostic"},
    "button": {"config", "diagnostic"},
    "sensor": {"diagnostic"},
}
STATE_LIMIT = 255  # characters
ATTRIBUTES_LIMIT = 16_384  # bytes; recorder/db_schema.py

FILTERED_ATTRIBUTES = {
    "assumed_state",
    "available",
    "device_class",
    "device_info",
    "entity_category",
    "entity_id",
    "entity_picture",
    "entity_registry_enabled_default",
    "extra_state_attributes",
    "force_update",
    "friendly_name",
    "icon",
    "last_reset",
    "should_poll",
    "state",
    "state_class",
    "supported_features",
    "unique_id",
    "unit_of_measurement",
}
"""Attributes that are dropped without a word."""
