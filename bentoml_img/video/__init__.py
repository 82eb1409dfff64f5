"""Videos: read, track, count and write, each bounded in memory whatever the length."""
