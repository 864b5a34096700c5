"""Commands of ``stream-trainer``, a module each; ``trainer.cli`` groups them."""
