"""Formats of gateways, firewalls, DNS and web servers in text, one module a product or family."""
