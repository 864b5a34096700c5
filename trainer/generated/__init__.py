"""Examples that no feed holds."""
