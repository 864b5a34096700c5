"""What outputs and logs may show: pseudonyms, masked URLs, no secrets."""
