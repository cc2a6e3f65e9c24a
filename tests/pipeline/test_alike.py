import numpy as np

from reelproof.pipeline.dataset.alike import embedded_clips
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.embedding import ClipEmbedding
from reelproof.schemas.tables import to_table


def made(name: str, *vector: float) -> ClipEmbedding:
    return ClipEmbedding(
        clip_id=name, video_id=name[0], start_s=0, end_s=1, is_base=True, encoder="e@1", vector=vector
    )


def left(store: Store, name: str, *rows: ClipEmbedding) -> str:
    store.write_table(name, to_table(rows, ClipEmbedding))
    return name


def test_vectors_of_all_parts_are_one_map_without_those_of_videos_that_do_not_count(tmp_path):
    store = Store(str(tmp_path))
    parts = [
        (left(store, "empty.parquet"), {"a"}),
        (left(store, "one.parquet", made("a1", 1, 0), made("b1", 0, 1), made("a2", 0.6, 0.8)), {"a"}),
        (left(store, "other.parquet", made("c1", 0, -1)), {"c"}),
    ]
    with embedded_clips(store, parts) as embedded:
        assert embedded.clips["clip_id"].to_list() == ["a1", "a2", "c1"]
        assert np.allclose(embedded.vectors, [[1, 0], [0.6, 0.8], [0, -1]], atol=1e-3)
    with embedded_clips(store, parts[:1]) as nothing:
        assert nothing.vectors.shape == (0, 0)
