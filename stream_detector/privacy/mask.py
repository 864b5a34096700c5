"""Credentials and query values out of texts and bytes that are written somewhere.

User names and passwords in URLs (``user:password@``) are masked in all that the project writes;
query values where a setting asks for it. One module for each kind of thing that is written.
"""

MASK = "***"
