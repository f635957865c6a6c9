"""Training lowers the loss, stops when asked, and continues as if it never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import (
    Cancelled,
    CancelToken,
    Checkpoint,
    Done,
    Event,
    Log,
    Step,
)

Crops = NDArray[np.uint16]


class Listener:
    """Keeps what it hears and cancels at a chosen step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.token = CancelToken()
        self.events: list[Event] = []
        self._stop_at = stop_at
        if stop_at == 0:
            self.token.cancel()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Step) and event.step == self._stop_at:
            self.token.cancel()

    @property
    def losses(self) -> dict[int, dict[str, float]]:
        return {e.step: dict(e.metrics) for e in self.events if isinstance(e, Step)}


def weights(encoder: Encoder) -> dict[str, torch.Tensor]:
    return encoder.network.state_dict()


def same(one: Encoder, other: Encoder) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def uninterrupted(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> tuple[Encoder, Listener]:
    heard = Listener()
    return train_encoder(crops, spec, EncoderConfig(**small), on_event=heard), heard


def test_a_step_reports_every_term(uninterrupted: tuple[Encoder, Listener]) -> None:
    encoder, heard = uninterrupted
    assert list(heard.losses) == list(range(1, 13))
    terms = {"loss", "recon", "mse", "kl", "mi", "tc", "dw", "beta"}
    looked = {"val_mse", "val_kl", "gaussian_tc", "active", "variety"}
    for metrics in heard.losses.values():
        assert set(metrics) == terms | looked
        assert all(np.isfinite(v) for v in metrics.values())
        assert metrics["recon"] == pytest.approx(metrics["mse"] * 32**2 / 2, rel=1e-5)
    assert isinstance(heard.events[0], Log)
    assert heard.events[-1] == Done("encoder")
    assert encoder.record["metrics"] == heard.losses[12]


@pytest.mark.parametrize("stop", [0, 1, 5, 7])
def test_a_resumed_run_equals_the_uninterrupted_one(
    uninterrupted: tuple[Encoder, Listener],
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    tmp_path: Path,
    stop: int,
) -> None:
    config = EncoderConfig(**small)
    first = Listener(stop_at=stop)
    with pytest.raises(Cancelled):
        train_encoder(
            crops, spec, config, run_dir=tmp_path, on_event=first, token=first.token
        )
    saved = [e for e in first.events if isinstance(e, Checkpoint)][-1]
    assert saved.step == stop
    assert Path(saved.path).is_file()
    assert len(list(tmp_path.glob("checkpoint*"))) == 2
    second = Listener()
    resumed = train_encoder(
        crops, spec, config, run_dir=tmp_path, resume=True, on_event=second
    )
    encoder, heard = uninterrupted
    assert {**first.losses, **second.losses} == heard.losses
    assert same(resumed, encoder)
    assert resumed.hash == encoder.hash
    assert resumed.record["history"] == encoder.record["history"]
    for name, array in encoder.reference.items():
        np.testing.assert_array_equal(resumed.reference[name], array)


def test_symmetry_is_learnt_and_resumes_exactly(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    settings = {
        **small,
        "steps": 60,
        "symmetry": 3.0,
        "sigma_x": 0.2,
        "learning_rate": 1e-2,
    }
    config = EncoderConfig(**settings)
    whole = Listener()
    encoder = train_encoder(crops, spec, config, on_event=whole)
    first, second = Listener(stop_at=7), Listener()
    with pytest.raises(Cancelled):
        train_encoder(
            crops, spec, config, run_dir=tmp_path, on_event=first, token=first.token
        )
    resumed = train_encoder(
        crops, spec, config, run_dir=tmp_path, resume=True, on_event=second
    )
    assert same(resumed, encoder)
    assert {**first.losses, **second.losses} == whole.losses

    # All but unweighted, the divergence is reported and the latents stay free.
    free = Listener()
    free_config = EncoderConfig(**{**settings, "symmetry": 1e-6})
    train_encoder(crops, spec, free_config, on_event=free)
    last = [h.losses[60] for h in (whole, free)]
    assert last[0]["asymmetry"] < 0.5 * last[1]["asymmetry"]
    assert last[0]["active"] > 0


@pytest.mark.parametrize("weighing", [{"coarse": 2.0}, {"focus": 0.9}])
def test_errors_of_pixels_are_told_alike_however_they_are_weighed(
    crops: Crops, spec: CropSpec, small: dict[str, Any], weighing: dict[str, float]
) -> None:
    first = []
    for asked in ({}, weighing):
        listener = Listener()
        config = EncoderConfig(**{**small, "steps": 1, **asked})
        train_encoder(crops, spec, config, on_event=listener)
        first.append(listener.losses[1])
    plain, weighed = first
    assert weighed["mse"] == pytest.approx(plain["mse"], rel=1e-5)
    assert weighed["recon"] != pytest.approx(plain["recon"], rel=1e-2)


def test_a_second_look_among_other_cells_shapes_the_latents(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> None:
    settings = {**small, "steps": 25, "symmetry": 1.0, "learning_rate": 1e-2}
    found = {}
    for weight in (0.0, 1e-9, 1e5):
        listener = Listener()
        config = EncoderConfig(**settings, surround=weight)
        encoder = train_encoder(crops, spec, config, on_event=listener)
        found[weight] = encoder, [m.get("heed") for m in listener.losses.values()]
    (plain, none), (seen, free), (asked, less) = found.values()
    assert set(none) == {None}
    np.testing.assert_allclose(
        plain.encode(crops[:9]), seen.encode(crops[:9]), atol=1e-4
    )
    assert less[-1] < 0.5 * free[-1]
    assert not same(asked, plain)


def test_a_finished_run_resumes_to_its_encoder(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    config = EncoderConfig(**{**small, "steps": 3})
    one = train_encoder(crops, spec, config, run_dir=tmp_path)
    assert same(one, train_encoder(crops, spec, config, run_dir=tmp_path, resume=True))


def test_the_seed_decides(
    uninterrupted: tuple[Encoder, Listener],
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
) -> None:
    torch.manual_seed(123)
    again = train_encoder(crops, spec, EncoderConfig(**small))
    other = train_encoder(crops, spec, EncoderConfig(**{**small, "seed": 1}))
    assert same(again, uninterrupted[0])
    assert not same(other, again)


def test_a_memory_map_trains_like_an_array(
    uninterrupted: tuple[Encoder, Listener],
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "crops.npy", crops)
    mapped = np.load(tmp_path / "crops.npy", mmap_mode="r")
    encoder = train_encoder(mapped, spec, EncoderConfig(**small))
    assert same(encoder, uninterrupted[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": {"beta": 9.0}}, "other settings"),
        ({"settings": {"steps": 20}}, "other settings"),
        ({"data": True}, "other data"),
        ({"spec": True}, "other crops"),
        ({"groups": True}, "other groups"),
    ],
)
def test_a_run_is_only_resumed_as_it_was_started(
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    tmp_path: Path,
    change: dict[str, Any],
    said: str,
) -> None:
    stopped = Listener(stop_at=0)
    with pytest.raises(Cancelled):
        train_encoder(
            crops, spec, EncoderConfig(**small), run_dir=tmp_path, token=stopped.token
        )
    config = EncoderConfig(**{**small, **change.get("settings", {})})
    with pytest.raises(InputError, match=said):
        train_encoder(
            crops[::-1] if "data" in change else crops,
            CropSpec(size=32, fov_px=40) if "spec" in change else spec,
            config,
            groups=np.arange(96) // 7 if "groups" in change else None,
            run_dir=tmp_path,
            resume=True,
        )


def test_there_must_be_something_to_resume(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    config = EncoderConfig(**small)
    with pytest.raises(InputError, match="name the folder"):
        train_encoder(crops, spec, config, resume=True)
    with pytest.raises(BundleError, match="is missing"):
        train_encoder(crops, spec, config, run_dir=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    config = EncoderConfig(**{**small, "steps": 2})
    train_encoder(crops, spec, config, run_dir=tmp_path)
    path = tmp_path / "checkpoint.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "order": {}}))
    with pytest.raises(BundleError, match="damaged"):
        train_encoder(crops, spec, config, run_dir=tmp_path, resume=True)
    path.write_text(json.dumps(content))
    next(tmp_path.glob("*.safetensors")).write_bytes(b"short")
    with pytest.raises(BundleError, match="does not match"):
        train_encoder(crops, spec, config, run_dir=tmp_path, resume=True)


def test_training_learns_simple_shapes(crops: Crops, spec: CropSpec) -> None:
    config = EncoderConfig(
        latent=8, filters=(8, 8, 16, 16), hidden=64, batch=32, steps=250, beta=2.0
    )
    encoder = train_encoder(crops, spec, config, groups=np.arange(96) // 4)
    history = encoder.record["history"]
    assert history[-1]["val_mse"] < 0.5 * history[0]["val_mse"]
    assert history[-1]["active"] >= 3
    assert encoder.active.sum() >= 3
    assert encoder.record["n_train"] + encoder.record["n_validation"] == 96
    error = encoder.reconstruction_error(crops)
    assert error.mean() == pytest.approx(history[-1]["val_mse"], rel=0.5)
    quantiles = encoder.reference["error_quantiles"]
    assert quantiles[0] == pytest.approx(error.min(), rel=0.3)
    noise = np.random.default_rng(0).integers(999, size=(8, 1, 32, 32)).astype("u2")
    assert encoder.reconstruction_error(noise).min() > quantiles[-1]


def test_the_reference_describes_the_training_crops(
    uninterrupted: tuple[Encoder, Listener], crops: Crops
) -> None:
    encoder = uninterrupted[0]
    reference = encoder.reference
    assert reference["latent_mean"].shape == reference["kl"].shape == (6,)
    assert reference["latent_cov"].shape == (6, 6)
    for name in ("error_quantiles", "distance_quantiles"):
        assert reference[name].shape == (101,)
        assert (np.diff(reference[name]) >= 0).all()
    close = np.abs(encoder.encode(crops).mean(0) - reference["latent_mean"])
    assert close.max() < 0.5


def test_the_record_says_where_an_encoder_comes_from(
    uninterrupted: tuple[Encoder, Listener], tmp_path: Path
) -> None:
    record = uninterrupted[0].record
    assert record["steps"] == 12
    assert record["seed"] == 0
    assert record["data"]["shape"] == [96, 1, 32, 32]
    assert {"torch", "numpy", "napari-cellsci"} <= record["versions"].keys()
    uninterrupted[0].save(tmp_path)
    assert Encoder.load(tmp_path).record == record


def test_training_may_start_from_an_encoder(
    uninterrupted: tuple[Encoder, Listener],
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
) -> None:
    start = uninterrupted[0]
    before = {k: v.clone() for k, v in weights(start).items()}
    heard = Listener()
    more = train_encoder(
        crops, spec, EncoderConfig(**small), start_from=start, on_event=heard
    )
    assert heard.losses[1]["recon"] < uninterrupted[1].losses[1]["recon"]
    assert more.record["started_from"] == start.hash
    assert not same(more, start)
    assert all(torch.equal(before[k], v) for k, v in weights(start).items())


def test_starting_from_other_crops_is_said(
    uninterrupted: tuple[Encoder, Listener], crops: Crops, small: dict[str, Any]
) -> None:
    heard = Listener()
    train_encoder(
        crops,
        CropSpec(size=32, fov_px=40),
        EncoderConfig(**{**small, "steps": 1}),
        start_from=uninterrupted[0],
        on_event=heard,
    )
    said = [e for e in heard.events if isinstance(e, Log) and e.level == "warning"]
    assert "fov_px 32" in said[0].message


def test_too_little_memory_is_said_in_a_sentence(
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(self: object) -> dict[str, float]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("napari_cellsci.representation.vae_run.VAERun.advance", full)
    with pytest.raises(InputError, match="memory for batches of 16 crops"):
        train_encoder(crops, spec, EncoderConfig(**small))


def test_another_architecture_cannot_be_started_from(
    uninterrupted: tuple[Encoder, Listener],
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
) -> None:
    start = uninterrupted[0]
    with pytest.raises(InputError, match="activation silu, these settings relu"):
        train_encoder(
            crops,
            spec,
            EncoderConfig(**{**small, "activation": "relu"}),
            start_from=start,
        )
    two = np.repeat(crops, 2, axis=1)
    with pytest.raises(InputError, match=r"1 channel\(s\) of 32 px, these have 2"):
        train_encoder(
            two,
            CropSpec(size=32, fov_px=32, channels=(0, 1)),
            EncoderConfig(**small),
            start_from=start,
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(
    crops: Crops, spec: CropSpec, small: dict[str, Any], bad: float
) -> None:
    broken = crops.astype(np.float32)
    broken[:, 0, 3, 3] = bad
    with pytest.raises(InputError, match="NaN or infinite"):
        train_encoder(broken, spec, EncoderConfig(**small))


def test_what_cannot_be_trained_on_is_refused(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> None:
    config = EncoderConfig(**small)
    with pytest.raises(InputError, match="At least 2 crops"):
        train_encoder(crops[:1], spec, config)
    with pytest.raises(InputError, match="blank"):
        train_encoder(np.full_like(crops, 7), spec, config)
    with pytest.raises(InputError, match="shape"):
        train_encoder(crops, CropSpec(fov_px=32), config)


def test_two_crops_are_enough_to_train(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> None:
    encoder = train_encoder(crops[:2], spec, EncoderConfig(**{**small, "steps": 2}))
    assert encoder.record["n_train"] == 2


def test_a_single_crop_for_validation_is_enough(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    config = EncoderConfig(**{**small, "steps": 2})
    encoder = train_encoder(crops[:10], spec, config, run_dir=tmp_path / "run")
    assert encoder.record["n_validation"] == 1
    encoder.save(tmp_path / "model")
    assert Encoder.load(tmp_path / "model").hash == encoder.hash


def test_a_run_that_diverges_says_so(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    config = EncoderConfig(
        **{**small, "steps": 40, "learning_rate": 1e6, "schedule": "constant"}
    )
    with pytest.raises(InputError, match=r"diverged at step .* learning rate"):
        train_encoder(crops, spec, config, run_dir=tmp_path)


def test_an_encoder_that_learns_nothing_says_so(
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_cellsci.representation.vae_run.COLLAPSE_STEP", 60)
    config = EncoderConfig(**{**small, "steps": 80, "sigma_x": 1e3})
    with pytest.raises(InputError, match=r"learnt nothing after .* lower beta"):
        train_encoder(crops[:32], spec, config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has CUDA")
def test_a_missing_device_is_named(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="cannot train on 'cuda'"):
        train_encoder(crops, spec, EncoderConfig(**{**small, "device": "cuda"}))


def test_a_full_disk_is_named(
    crops: Crops, spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        train_encoder(crops, spec, EncoderConfig(**small), run_dir=tmp_path / "run")


def test_threads_and_random_state_are_left_alone(
    crops: Crops, spec: CropSpec, small: dict[str, Any]
) -> None:
    before = torch.get_num_threads(), torch.random.get_rng_state()
    train_encoder(crops, spec, EncoderConfig(**{**small, "steps": 2}))
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_real_cells(real_data: Path, small: dict[str, Any]) -> None:
    """Two channels and contrast-equalised uint8 crops of another laboratory."""
    with np.load(real_data / "cellcognition" / "crops.npz") as file:
        images = file["images"][:128]
    spec = CropSpec(fov_px=64, channels=(0, 1))
    encoder = train_encoder(images, spec, EncoderConfig(**{**small, "steps": 30}))
    history = encoder.record["history"]
    assert history[-1]["val_mse"] < history[0]["val_mse"]
