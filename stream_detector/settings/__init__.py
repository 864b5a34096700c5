"""Settings: fields, the sources of their values, and checks across fields."""
