import pytest

from tests.benchmarks import gpu


@pytest.mark.real
def test_figures_are_taken_without_a_gpu_too(monkeypatch, tmp_path):
    """Shared prompts are the same update; what is not there is named."""
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda _: None)
    found = gpu.main(["--tiny", "--out", str(tmp_path / "gpu.json")])
    assert found["left_out"] == {"sft, TRL": "trl is not installed"}
    assert found["sft"]["tokens_per_s"] > 0
    for frames in gpu.TINY.frames:
        shared, apart = (
            found[f"grpo, {frames} frames, {kind}"] for kind in ("shared prompt", "a prompt each")
        )
        assert shared["grad_norm"] == pytest.approx(apart["grad_norm"], rel=1e-3)
        assert shared["grad_norm"] > 0


def test_without_a_gpu_it_says_so(capsys, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu.main([])
    assert "no GPU is here; --tiny runs on a CPU" in capsys.readouterr().err
