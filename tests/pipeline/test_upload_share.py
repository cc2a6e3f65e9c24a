import pytest

from reelproof.schemas.policy import PolicyConfig
from tests.upload_share import FilmedBuild, measure_upload


def test_one_row_less_uploads_little_of_the_shard_that_it_was_in(tmp_path):
    pytest.importorskip("hf_xet", reason="comes with huggingface_hub on common processors")
    # Most rows are kept, so that the frames of the one that goes are those of others, too.
    policy = PolicyConfig(max_pairs_per_question=0, min_worst_belief=0.0)
    build = FilmedBuild(tmp_path / "build", videos=2, policy=policy)
    measured = measure_upload(build, tmp_path / "storage", dropped=0.0)
    assert measured.first_bytes > 0.4 * measured.all_bytes > 3_000_000
    assert measured.changed_bytes > 0.4 * measured.all_bytes
    assert 0 < measured.share < 0.05
