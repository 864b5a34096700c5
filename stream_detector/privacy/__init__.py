"""Masks secrets, clients and queries in outputs and logs."""
