"""Training of a network, from batches to a bundle."""
