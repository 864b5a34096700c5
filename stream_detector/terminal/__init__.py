"""What people type and read: durations, counts, progress, printable texts."""
