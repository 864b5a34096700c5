"""The demo: a broker, a worker and a producer on one machine, and what comes out of them.

Here live the processes it starts, the replay of sample logs, the view and the summary. Nothing
of the detector itself: what the demo shows is the worker that ``stream-detector run`` starts.
"""
