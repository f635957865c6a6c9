"""Settings say what is wrong with them and survive a round trip."""

from __future__ import annotations

import json
from typing import Any

import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig


def test_the_papers_preset() -> None:
    paper = EncoderConfig.preset("paper")
    assert paper.filters == (8, 16, 32, 64)
    assert (paper.hidden, paper.latent, paper.batch) == (256, 32, 256)
    assert (paper.activation, paper.decoder) == ("mish", "upsample")
    assert (paper.learning_rate, paper.schedule) == (5e-4, "constant")
    assert (paper.alpha, paper.beta, paper.gamma) == (1, 6, 1)
    assert paper.estimator == "loo"
    assert paper.sigma_x == 1
    assert paper.steps == 41_000


def test_the_default_is_good_and_quick_is_shorter() -> None:
    good, quick = EncoderConfig.preset("good"), EncoderConfig.preset("quick")
    assert good == EncoderConfig() == EncoderConfig.preset()
    assert (good.activation, good.decoder) == ("silu", "convtranspose")
    assert quick.steps < good.steps < EncoderConfig.preset("paper").steps
    assert quick.architecture == good.architecture


@pytest.mark.parametrize("preset", ["quick", "good", "paper"])
def test_a_round_trip_through_json(preset: str) -> None:
    config = EncoderConfig.preset(preset, seed=7, filters=(4, 4, 8, 8))
    assert EncoderConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latent", 0),
        ("steps", 0),
        ("batch", 1),
        ("beta", -1.0),
        ("beta", float("nan")),
        ("sigma_x", 0.0),
        ("learning_rate", float("inf")),
        ("validation", 1.0),
        ("beta_warmup", -0.1),
        ("seed", -1),
        ("estimator", "median"),
        ("activation", "tanh"),
        ("decoder", "unet"),
        ("device", "tpu"),
        ("filters", (0, 1, 1, 1)),
    ],
)
def test_a_value_out_of_range_is_named(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        EncoderConfig.preset("good", **{field: value})


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="preset 'best'; choose one of quick"):
        EncoderConfig.preset("best")
    with pytest.raises(InputError, match="'epochs'"):
        EncoderConfig.preset("good", epochs=5)
    with pytest.raises(InputError, match="4 convolutions"):
        EncoderConfig(filters=(8, 16))
    with pytest.raises(InputError, match="cannot be read"):
        EncoderConfig.from_dict({"steps": "many"})


def test_beta_grows_from_gamma() -> None:
    config = EncoderConfig(steps=100, beta=21.0, beta_warmup=0.1)
    assert [config.beta_at(s) for s in (0, 5, 10, 99)] == [1, 11, 21, 21]
    assert EncoderConfig(beta_warmup=0.0, beta=20.0).beta_at(0) == 20


def test_what_an_encoder_passes_on_fits_what_is_asked_for() -> None:
    own = EncoderConfig(latent=8, symmetry=4.0, surround=2.0, coarse=1.0, focus=0.5)
    kept = EncoderConfig.preset("quick", **own.passed_on(steps=5))
    assert (kept.latent, kept.symmetry, kept.surround, kept.coarse, kept.steps) == (
        *(8, 4.0, 2.0, 1.0),
        5,
    )
    free = EncoderConfig.preset("quick", **own.passed_on(symmetry=0.0))
    assert (free.symmetry, free.surround, free.focus) == (0.0, 0.0, 0.5)
