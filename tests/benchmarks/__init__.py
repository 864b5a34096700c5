"""Benchmarks: run by hand through `make bench`, never by `make test`."""
