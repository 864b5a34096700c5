"""What stands in place of a secret.

The project masks user names and passwords in URLs (``user:password@``) in everything that it
writes, and query values where a setting requests it.
"""

MASK = "***"
