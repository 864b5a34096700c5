"""Labels of analysts and feeds: from Kafka into a store, and from the store what counts.

The noun, its JSON and the topics are in ``stream_detector``; training reads the files that
``stream-trainer labels export`` writes.
"""
