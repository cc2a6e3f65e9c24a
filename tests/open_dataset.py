"""A dataset folder -> every config opened by `datasets`, as its readers will; what `make demo` ends with.

python tests/open_dataset.py DATASET
"""

import sys

from datasets import disable_progress_bars, load_dataset

CONFIGS = ("sft", "rl", "dpo", "rejected")


def main(dataset: str) -> None:
    disable_progress_bars()
    for config in CONFIGS:
        splits = load_dataset(dataset, config)
        rows = {name: split.num_rows for name, split in splits.items()}
        if not sum(rows.values()):
            sys.exit(f"{dataset}: config {config} holds no rows")
        first = next(iter(splits.values()))[0]
        if "images" in first:
            shown = ", ".join(f"{image.width}x{image.height}" for image in first["images"][:3])
            print(f"{config}: {rows}, first row shows {len(first['images'])} frames ({shown}, …)")
        else:
            print(f"{config}: {rows}, first row rejected for {', '.join(first['reasons'])}")
    print(f"look at {dataset}/README.md, or: load_dataset({dataset!r}, 'sft')")


if __name__ == "__main__":
    main(sys.argv[1])
