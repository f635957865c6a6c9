"""The crop specification refuses what cannot be cut and survives a round trip."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError

specs = st.builds(
    CropSpec,
    size=st.sampled_from([16, 48, 64, 128]),
    fov_um=st.floats(0.5, 500),
    channels=st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True).map(
        tuple
    ),
    z=st.one_of(st.just("max"), st.integers(0, 30)),
    padding=st.sampled_from(["mean", "reflect"]),
)


@given(specs)
def test_json_round_trip_keeps_spec_and_hash(spec: CropSpec) -> None:
    again = CropSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.hash == spec.hash
    assert again.mismatch(spec) is None


def test_hash_tells_specs_apart() -> None:
    assert CropSpec(fov_um=21.3).hash != CropSpec(fov_px=21.3).hash


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, "field of view"),
        ({"fov_um": 21.3, "fov_px": 64}, "field of view"),
        ({"fov_um": 0}, "positive"),
        ({"fov_um": float("nan")}, "positive"),
        ({"fov_px": 64, "size": 60}, "multiple of 16"),
        ({"fov_px": 64, "channels": ()}, "channel"),
        ({"fov_px": 64, "channels": (-1,)}, "channel"),
        ({"fov_px": 64, "channels": (0, 0)}, "once"),
        ({"fov_px": 64, "clip": 0}, "clip"),
    ],
)
def test_refusals_are_sentences(values: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word) as refusal:
        CropSpec(**values)  # type: ignore[arg-type]
    assert str(refusal.value).endswith(".")


def test_window_needs_the_pixel_size_only_for_micrometres() -> None:
    assert CropSpec(fov_px=48).window(None) == 48
    assert CropSpec(fov_um=21.3).window(0.3328125) == pytest.approx(64)
    with pytest.raises(InputError, match="pixel size"):
        CropSpec(fov_um=21.3).window(None)


@pytest.mark.parametrize(
    ("spec", "pixel_size", "told"),
    [
        (CropSpec(fov_um=21.3), 645, r"µm \(0.033 px\) wide .* pixel size \(645 µm\)"),
        (CropSpec(fov_um=21.3), 0.000645, r"µm \(3.3e\+04 px\) wide do not fit film"),
        (CropSpec(fov_px=1e9), None, "1e\\+09 px wide .* check the width of the crops"),
        (CropSpec(fov_px=float("inf")), None, "do not fit"),
    ],
)
def test_windows_no_one_can_mean_are_refused(
    spec: CropSpec, pixel_size: float | None, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        spec.refuse_misfit("film", (70, 80), pixel_size)
    CropSpec(fov_um=21.3).refuse_misfit("film", (70, 80), 0.645)


def test_mismatch_names_the_difference_but_not_the_choice_of_channel() -> None:
    spec = CropSpec(fov_um=21.3)
    assert spec.mismatch(spec.with_channels((2,))) is None
    assert "channel" in (spec.mismatch(spec.with_channels((0, 1))) or "")
    assert "fov_um" in (spec.mismatch(CropSpec(fov_um=30)) or "")


@pytest.mark.parametrize("values", [{}, {"channels": [0], "fov_um": 3, "colour": 1}])
def test_foreign_specifications_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match="not a crop specification"):
        CropSpec.from_dict(values)
