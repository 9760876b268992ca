"""Tasks, one file each, found by file name: the sections a preset of that task has."""
