"""Fitted normalisation travels with encoder and CNN, and is never fitted anew."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import pipeline_from_text
from napari_cellsci.errors import BundleError
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.data import split_rows
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import new_fabric, train_encoder
from napari_cellsci.representation.vae_run import VAERun
from napari_cellsci.tasks import Cancelled, CancelToken, Step


@pytest.fixture(scope="module")
def bright():
    return CropSpec(size=32, fov_px=32, steps=(pipeline_from_text("brightfield"),))


@pytest.fixture(scope="module")
def trained(bright, crops, small):
    return train_encoder(crops, bright, EncoderConfig(**small))


def test_an_encoder_is_fitted_to_its_training_crops(trained, bright, crops, small):
    config = EncoderConfig(**small)
    rows, _ = split_rows(len(crops), None, config.validation, config.seed)
    assert trained.spec == fit_spec(bright, crops, rows)
    assert trained.spec.unfitted == bright
    pixels = trained.normalise(crops)
    assert 0 <= float(pixels.min()) < 0.5 < float(pixels.max()) <= 1


def test_it_comes_back_from_disk_and_maps_new_cells_identically(
    trained, crops, tmp_path
):
    trained.save(tmp_path)
    again = Encoder.load(tmp_path)
    assert again.spec == trained.spec
    assert again.hash == trained.hash
    brighter = crops[:9] + 200  # a refit would hide that
    np.testing.assert_array_equal(again.encode(brighter), trained.encode(brighter))


def test_altered_quantities_are_refused(trained, tmp_path):
    trained.save(tmp_path)
    path = tmp_path / "model.json"
    whole = json.loads(path.read_text())
    whole["spec"]["steps"][0][0]["found"] *= 1.5
    path.write_text(json.dumps(whole))
    with pytest.raises(BundleError):
        Encoder.load(tmp_path)


def test_a_resumed_run_is_the_uninterrupted_one(
    trained, bright, crops, small, tmp_path
):
    config, token = EncoderConfig(**small), CancelToken()

    def stop(event):
        if isinstance(event, Step) and event.step == 7:
            token.cancel()

    with pytest.raises(Cancelled):
        train_encoder(
            crops, bright, config, run_dir=tmp_path, on_event=stop, token=token
        )
    again = train_encoder(crops, bright, config, run_dir=tmp_path, resume=True)
    assert again.hash == trained.hash


def test_who_starts_from_an_encoder_sees_the_pixels_it_knows(
    trained, bright, crops, small
):
    config = EncoderConfig(**{**small, "steps": 2})
    other = (crops[:40] * 1.5).astype(np.uint16)
    found = train_encoder(other, bright, config, start_from=trained)
    assert found.spec.steps == trained.spec.steps
    plain = train_encoder(other, replace(bright, steps=()), config, start_from=trained)
    assert plain.spec.steps == ()


def test_the_objective_counts_in_standard_deviations(bright, crops, small):
    """Mapping pixels to 0 … 1 does not change what a reconstruction costs."""
    config, errors = EncoderConfig(**small), []
    x, recon = torch.rand(2, 5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for steps, scale in (("background+clip", 6), ("background+clip+unit", 1)):
        spec = replace(bright, steps=(pipeline_from_text(steps),))
        run = VAERun(crops, fit_spec(spec, crops), config, new_fabric(config))
        errors.append(float(run._error(x * scale, recon * scale)))
    assert errors[1] == pytest.approx(errors[0], rel=1e-5)


def test_cnns_are_fitted_too(bright, crops):
    y = np.arange(len(crops)) % 2
    config = CNNConfig(models=1, folds=2, epochs=1, steps=1)
    heads = train_cnn(crops, bright, y, np.arange(len(crops)), config)
    assert heads.members.spec == fit_spec(bright, crops)
