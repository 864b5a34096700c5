"""Log formats: ``doors`` open what shippers put around a line, ``registry`` lists the formats (most
are in ``formats``), ``reading`` turns a record into events.
"""
