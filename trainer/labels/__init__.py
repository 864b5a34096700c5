"""Labels of analysts and feeds: collected from Kafka into a store, and resolved to one a text.

``Label``, its JSON and the topics are in ``stream_detector``; training reads the files that
``stream-trainer labels export`` writes.
"""
