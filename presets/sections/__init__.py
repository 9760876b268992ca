"""The sections of a preset, one file each. A field's help is written once here and shown everywhere."""
