"""A preset as YAML text: parsed with the place of every key, changed, validated in the user's words, written, kept."""
