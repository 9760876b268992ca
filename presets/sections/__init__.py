"""The sections of a preset by topic. A field's help is written once here and shown everywhere."""
