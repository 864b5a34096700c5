"""Formats of gateways, firewalls, DNS and web servers in text, one module a product or family.

``FORMATS`` lists them in the order in which they are asked: no line is of two of them.
"""
