"""``python -m trainer`` is ``stream-trainer``."""

from trainer.cli import main

if __name__ == "__main__":
    main()
