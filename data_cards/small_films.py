"""How a build looks at the studies' films, in which small squares step on a ground that stays."""

LOOKED_AT: dict[str, dict[str, object]] = {
    "footage": {
        "candidate_every_s": 1.0,
        "change_content": 255,  # a square's step is no change of scene
        "change_histogram": 0.5,
        "jpeg_quality": 92,
        "long_side_px": 64,
    },
    "storyboard": {
        "keyframe_every_s": 1.0,
        "duplicate_bits": 0,
        "adaptive_content": 100,
        "histogram_change": 0.5,
        "cut_distance_s": 0,
    },
}
"""Sections of a recipe."""
