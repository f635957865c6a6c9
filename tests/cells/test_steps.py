"""Normalisation as named steps: how they are written, read, joined and refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellsci.cells.sizing import Sizing, sizing_from_text, sizing_text
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import (
    NAMED,
    Background,
    Clip,
    Dots,
    Log,
    Unit,
    ZScore,
    limits_of,
    pipeline_from_text,
    step_from_dict,
    text_of,
    unit_of,
)
from napari_cellsci.errors import InputError

SPREAD = np.arange(256.0).reshape(16, 16)
FITTED = Background.of(SPREAD, 200.0)
MIXTURE = Dots(means=(3.0, 4, 5), deviations=(1.0, 0.5, 0.2), weights=(0.5, 0.3, 0.2))


def _spec(*pipelines, **values):
    return CropSpec(fov_px=16, size=16, steps=pipelines, **values)


@pytest.mark.parametrize("text", [*NAMED, "log+zscore", "log:0.1+dots:2+clip:2+unit:2"])
def test_what_is_written_is_read(text):
    assert text_of(pipeline_from_text(text)) == text


def test_numbers_set_the_main_parameter():
    assert pipeline_from_text("zscore:3") == (ZScore(clip=3),)
    assert pipeline_from_text("brightfield:12")[0] == Background(threshold=12)
    assert text_of(pipeline_from_text("brightfield:12")) == "brightfield:12"
    assert pipeline_from_text("fluorescence:0.1")[0] == Log(floor=0.1)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("sharp", "no normalisation 'sharp'"),
        ("", "no normalisation"),
        ("clip:x+unit", "number"),
        ("log", "bounds"),
        ("clip+background", "bounds"),
        ("zscore:-1", "positive"),
        ("dots:11+clip", "components"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, word):
    with pytest.raises(InputError, match=word):
        pipeline_from_text(text)


def test_limits_and_units_follow_the_steps():
    assert limits_of(NAMED["zscore"]) == (-4, 4)
    assert limits_of(NAMED["fluorescence"]) == (0, 1)
    assert limits_of((ZScore(), Clip(bound=2))) == (-2, 2)
    assert unit_of(NAMED["zscore"]) == 1
    assert unit_of(NAMED["brightfield"]) == pytest.approx(1 / 6)
    mixed = _spec(NAMED["zscore"], NAMED["brightfield"], channels=(0, 1))
    assert mixed.limits == ((-4, 4), (0, 1))
    assert mixed.normalised_by == "zscore,brightfield"


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"fov_um": 21.3}, "c3f9e25596be"),
        ({"fov_px": 64, "channels": (0, 1)}, "718aa2e88ee0"),
        (
            {"fov_px": 32, "size": 32, "z": 3, "padding": "reflect", "clip": 5.0},
            "532ccf266ae0",
        ),
    ],
)
def test_hashes_of_z_scored_crops_stay_what_they_were(values, known):
    assert CropSpec(**values).hash == known


def test_the_z_score_is_always_written_in_the_same_way():
    plain = CropSpec(fov_px=16, size=16)
    assert _spec(NAMED["zscore"]) == plain
    assert _spec((ZScore(clip=2),)) == replace(plain, clip=2)
    both = _spec(NAMED["zscore"], NAMED["zscore"], channels=(0, 1))
    assert both.hash == replace(plain, channels=(0, 1)).hash
    assert both.normalisation == "zscore"


@given(st.integers(1, 6), st.booleans(), st.sampled_from(["brightfield", "log+zscore"]))
def test_specs_survive_json(channels, fitted, text):
    pipelines = [pipeline_from_text(text)] * channels
    if fitted:
        pipelines[0] = (FITTED, MIXTURE, Clip(), Unit())
    sizing = (Sizing(), *[Sizing(how="constant", value=3)] * (channels - 1))
    spec = _spec(*pipelines, channels=tuple(range(channels)), sizing=sizing)
    again = CropSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.hash == spec.hash
    np.testing.assert_array_equal(FITTED.spread, SPREAD)


def test_the_same_crops_serve_every_normalisation():
    raw = CropSpec(fov_px=16, size=16)
    bright = _spec(NAMED["brightfield"])
    fitted = _spec((FITTED, Clip(), Unit()))
    assert bright.cut.hash == fitted.cut.hash == raw.hash
    assert len({raw.hash, bright.hash, fitted.hash}) == 3
    assert fitted.unfitted == bright
    assert not bright.fitted
    assert fitted.fitted
    sized = replace(raw, sizing=(Sizing(),))
    assert replace(sized, steps=bright.steps).cut.hash == sized.hash
    assert sized.cut.hash != raw.hash


def test_mismatches_are_told_in_words():
    bright, fitted = _spec(NAMED["brightfield"]), _spec((FITTED, Clip(), Unit()))
    assert bright.mismatch(fitted) is None
    told = bright.mismatch(CropSpec(fov_px=16, size=16))
    assert told == "normalisation brightfield against zscore"
    sized = replace(bright, sizing=sizing_from_text("constant:5"))
    assert bright.mismatch(sized) == "sizing none against constant:5"


def test_channels_take_their_steps_along():
    spec = _spec(
        NAMED["brightfield"],
        NAMED["fluorescence"],
        channels=(0, 2),
        sizing=sizing_from_text("noise,constant"),
    )
    one = spec.with_channels((2,))
    assert one.steps == (NAMED["fluorescence"],)
    assert sizing_text(one.sizing) == "constant"
    alike = _spec(NAMED["brightfield"])
    assert len(alike.with_channels((3,)).steps) == 1


def test_one_per_channel_or_one_for_all():
    assert len(_spec(NAMED["brightfield"], channels=(0, 1, 2)).steps) == 3
    with pytest.raises(InputError, match=r"2 normalisations .* 3 channel"):
        _spec(*[NAMED["brightfield"]] * 2, channels=(0, 1, 2))
    with pytest.raises(InputError, match=r"2 ways .* 1 channel"):
        CropSpec(fov_px=16, sizing=(Sizing(), Sizing()))


def _tampered(**values):
    found = _spec((FITTED, Clip(), Unit())).to_dict()
    found["steps"][0][0].update(values)
    return found


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "magic"},
        {"deviation": "@@@@"},
        {"deviation": FITTED.deviation[:100]},
        {"deviation": "AADAfwAAwH8AAMB/" * 85 + "AADAfw=="},  # all NaN
        {"deviation": ""},
        {"found": 1e9},
        {"found": -1},
        {"found": "much"},
        {"extra": 1},
        {"deviation": Background.of(np.arange(64.0).reshape(8, 8), 20.0).deviation},
    ],
)
def test_tampered_maps_are_refused(values):
    with pytest.raises(InputError):
        CropSpec.from_dict(_tampered(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"means": [5, 4, 3]},
        {"means": [3, 4]},
        {"deviations": [1, 0, 1]},
        {"deviations": [1, float("nan"), 1]},
        {"weights": [0.9, 0.9, 0.9]},
        {"weights": None},
        {"components": 2},
        {"means": "abc"},
    ],
)
def test_tampered_mixtures_are_refused(values):
    with pytest.raises(InputError):
        step_from_dict({**MIXTURE.to_dict(), **values})


def test_a_normalisation_that_does_not_fit_its_steps_is_refused():
    values = _spec(NAMED["brightfield"]).to_dict()
    with pytest.raises(InputError, match="does not fit its steps"):
        CropSpec.from_dict({**values, "normalisation": "zscore"})


def test_sizing_is_read_and_written():
    assert sizing_from_text("noise, constant:5") == (
        Sizing(),
        Sizing(how="constant", value=5),
    )
    assert sizing_text(sizing_from_text("noise,constant:5")) == "noise,constant:5"
    assert sizing_text(sizing_from_text("mean,mean")) == "mean"
    for text in ("mirror", "constant:x", ""):
        with pytest.raises(InputError):
            sizing_from_text(text)
