"""What the operating system offers: processes, files, disks, cores."""
