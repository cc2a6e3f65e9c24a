"""`python -m reelproof.pipeline …` is `reelproof …`, for launchers that start modules."""

from reelproof.pipeline.cli import main

if __name__ == "__main__":
    main()
