"""Log formats, one module each; ``reading`` turns a record into events."""
