"""`python -m reelproof …` is `reelproof …`, also for launchers that start modules."""

from reelproof.pipeline.cli import main

if __name__ == "__main__":
    main()
