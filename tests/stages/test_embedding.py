import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelproof.schemas.footage import ClipKind
from reelproof.stages.embedding.embed import EmbeddingConfig, embed_clips, frames_to_embed
from reelproof.stages.teachers.protocol import TeacherUnavailable
from tests.views import made_clip

RNG = np.random.default_rng(3)


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def picture() -> np.ndarray:
    """A landscape of its own: large soft shapes, (72, 128, 3) uint8."""
    coarse = RNG.integers(0, 256, (4, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((128, 72), Image.Resampling.BICUBIC))


class MeanColour:
    """Three numbers a picture, and a count of those that were looked at."""

    name = "mean@1"

    def __init__(self) -> None:
        self.seen = 0

    def encode(self, images):
        self.seen += len(images)
        return np.stack([image.mean(axis=(0, 1)) for image in images])


def clip_of(pictures, name="film", kind=ClipKind.SHORT):
    clip = made_clip(name, float(len(pictures)))
    frames = tuple(
        clip.timeline[0].model_copy(update={"sha256": hashlib.sha256(jpeg(each)).hexdigest()})
        for each in pictures
    )
    return clip.model_copy(update={"keyframes": frames, "clip_id": f"{name}/{kind}", "kind": kind})


def files_of(pictures) -> dict[str, bytes]:
    return {hashlib.sha256(each).hexdigest(): each for each in map(jpeg, pictures)}


def test_frames_are_spread_over_the_clip_and_looked_at_once():
    pictures = [np.full((8, 8, 3), 10 * shade, np.uint8) for shade in range(1, 19)]
    scene, whole = clip_of(pictures[:2], kind=ClipKind.SEGMENT), clip_of(pictures, kind=ClipKind.WHOLE)
    bare = whole.model_copy(update={"keyframes": ()})
    wanted = frames_to_embed([scene, whole, bare], EmbeddingConfig(frames=3))
    place = [frame.sha256 for frame in whole.keyframes].index
    assert [place(each) for each in wanted] == [0, 1, 3, 9, 15]
    encoder = MeanColour()
    found = list(embed_clips([scene, whole, bare], files_of(pictures), encoder, EmbeddingConfig(frames=3)))
    assert [(each.clip_id, each.is_base) for each in found] == [("film/segment", True), ("film/whole", False)]
    assert encoder.seen == 5


def test_a_vector_is_the_mean_direction_of_its_frames():
    red, dark_red, blue = (
        np.full((8, 8, 3), colour, np.uint8) for colour in ((250, 0, 0), (90, 0, 0), (0, 0, 250))
    )
    clips = [clip_of([red, blue], "one"), clip_of([dark_red, blue], "other")]
    one, other = embed_clips(clips, files_of([red, dark_red, blue]), MeanColour(), EmbeddingConfig())
    assert np.linalg.norm(one.vector) == pytest.approx(1, abs=1e-4)
    assert one.vector == pytest.approx([0.7071, 0, 0.7071], abs=0.02)
    assert one.vector @ other.vector > 0.99  # a dark frame counts as much as a light one


def test_the_packaged_network_knows_a_picture_that_is_mirrored_from_others():
    pytest.importorskip("efficientnet_lite_pytorch")
    from reelproof.stages.embedding.efficientnet import EfficientNetEncoder

    pictures = [picture() for _ in range(4)]
    encoder = EfficientNetEncoder()
    vectors = encoder.encode([*pictures, *(each[:, ::-1] for each in pictures)])
    assert vectors.shape == (8, 1280)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[:4] @ vectors[4:].T
    assert (cosines.argmax(axis=1) == np.arange(4)).all()
    assert encoder.encode(pictures[:1]) == pytest.approx(encoder.encode(pictures)[:1], abs=1e-5)


SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
SEES = {"image_size": 28, "patch_size": 14}


def saved(folder, network, processor) -> str:
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """An encoder of each family in a folder, of random weights."""
    transformers = pytest.importorskip("transformers")
    reads = {**SMALL, "vocab_size": 99, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    square = {"height": 28, "width": 28}
    folder = tmp_path_factory.mktemp("encoders")
    clip = transformers.CLIPConfig(text_config=reads, vision_config={**SMALL, **SEES}, projection_dim=24)
    dino = transformers.Dinov2Config(**SMALL, **SEES)
    return {
        "clip": (24, saved(folder / "clip", transformers.CLIPModel(clip), transformers.CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size=square))),
        "dino": (32, saved(folder / "dino", transformers.Dinov2Model(dino), transformers.BitImageProcessor(
            size={"shortest_edge": 28}, crop_size=square))),
        "naflex": (32, saved(folder / "naflex", transformers.Siglip2Model(transformers.Siglip2Config(
            text_config=reads, vision_config={**SMALL, "num_patches": 16, "patch_size": 14})),
            transformers.Siglip2ImageProcessorPil(patch_size=14, max_num_patches=16))),
        "classifier": (32, saved(folder / "classifier", transformers.ViTForImageClassification(
            transformers.ViTConfig(**SMALL, **SEES)), transformers.ViTImageProcessorPil(size=square))),
        "masked": (32, saved(folder / "masked", transformers.ViTMAEModel(
            transformers.ViTMAEConfig(**SMALL, image_size=112, patch_size=14)),
            transformers.ViTImageProcessorPil(size={"height": 112, "width": 112}))),
        "half": (32, saved(folder / "half", transformers.Dinov2Model(dino).bfloat16(),
            transformers.BitImageProcessor(size={"shortest_edge": 28}, crop_size=square))),
    }  # fmt: skip


@pytest.mark.parametrize("family", ["clip", "dino", "half", "naflex", "classifier"])
def test_image_encoders_of_the_hub_make_a_vector_a_picture(models, family):
    from reelproof.stages.embedding.hub_encoder import HubEncoder

    width, folder = models[family]
    pictures = [picture(), picture()]
    vectors = HubEncoder(folder, None, "tiny@1").encode(pictures)
    assert (vectors.shape, vectors.dtype) == ((2, width), np.float32)
    assert not np.allclose(*vectors)
    again = HubEncoder(folder, None, "tiny@1").encode(pictures[1:])[0]  # also where its file has no pooler
    assert again == pytest.approx(vectors[1], abs=1e-5)


def test_an_encoder_that_sees_by_chance_is_told(models):
    from reelproof.stages.embedding.hub_encoder import HubEncoder

    with pytest.raises(TeacherUnavailable, match="another vector of the same picture each time"):
        HubEncoder(models["masked"][1], None, "tiny@1")


def test_an_encoder_whose_file_lacks_weights_is_told(models, tmp_path):
    from reelproof.stages.embedding.hub_encoder import HubEncoder

    settings = json.loads(Path(models["dino"][1], "config.json").read_text())
    shutil.copytree(models["dino"][1], tmp_path / "deeper")
    (tmp_path / "deeper" / "config.json").write_text(json.dumps(settings | {"num_hidden_layers": 2}))
    with pytest.raises(TeacherUnavailable, match=r"no weights for encoder\.layer\.1\."):
        HubEncoder(str(tmp_path / "deeper"), None, "tiny@1")


def test_what_is_no_image_encoder_is_told(tmp_path):
    from reelproof.stages.embedding.hub_encoder import HubEncoder

    (tmp_path / "config.json").write_text('{"model_type": "none"}')
    with pytest.raises(TeacherUnavailable, match=r"embedding\.encoder .* cannot load it: .* a Hub name"):
        HubEncoder(str(tmp_path), None, "tiny@1")
