"""Photos and videos on this disk, without a server."""
