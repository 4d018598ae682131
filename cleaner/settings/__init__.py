"""The settings: one name each, as a flag, in the environment and in a YAML file."""

from cleaner.settings.fields import Settings, describe_default, fields_of

__all__ = ["Settings", "describe_default", "fields_of"]
