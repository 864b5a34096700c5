"""Log formats, one module each: ``squid``, ``dnsmasq``, ``suricata``, ``zeek``, ``plain``, and
``plain_json`` for JSON objects of any program. ``reading`` turns a record into events.
"""
