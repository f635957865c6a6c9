from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.cells.factors import cell_factors
from napari_cellsci.cells.label_crops import label_crops, neighbour_factors
from napari_cellsci.cells.properties import region_properties
from napari_cellsci.tasks import Cancelled, CancelToken


def ellipse(angle: float, size: int = 41) -> np.ndarray:
    """A label image with one ellipse whose long axis points along (cos, sin)."""
    y, x = np.mgrid[:size, :size] - size // 2
    u = y * np.cos(angle) + x * np.sin(angle)
    v = x * np.cos(angle) - y * np.sin(angle)
    return (np.hypot(u / 15, v / 6) < 1).astype(np.uint8)


def cells_at(*places: tuple[int, float, float], movie: str = "m") -> pd.DataFrame:
    t, y, x = zip(*places, strict=True)
    ids = np.arange(1, len(places) + 1)
    return pd.DataFrame({"movie": movie, "track_id": ids, "t": t, "y": y, "x": x})


@pytest.mark.parametrize(
    ("angle", "axes", "diagonals"),
    [(0, 1, 0), (np.pi / 2, -1, 0), (np.pi / 4, 0, 1), (-np.pi / 4, 0, -1)],
)
def test_elongation_has_the_sign_of_its_direction(
    angle: float, axes: float, diagonals: float
) -> None:
    """Tall, wide, falling, rising: measured from masks and from a truth's angle."""
    cells = cells_at((0, 20, 20))
    measured = region_properties(
        ellipse(angle)[None], None, cells, pixel_size=None, tracked=True
    )
    found = cell_factors(pd.concat([cells, measured], axis=1))
    eccentricity = np.sqrt(1 - (6 / 15) ** 2)
    assert found["elongation_axes"][0] == pytest.approx(eccentricity * axes, abs=0.02)
    assert found["elongation_diagonals"][0] == pytest.approx(
        eccentricity * diagonals, abs=0.02
    )
    truth = cell_factors(cells.assign(aspect=15 / 6, angle=angle))
    for name, values in truth.items():
        assert found[name][0] == pytest.approx(values[0], abs=0.02)


def test_cells_without_anything_measured_have_no_factors() -> None:
    assert cell_factors(cells_at((0, 5, 5))) == {}


def test_brightness_is_told_per_channel() -> None:
    cells = cells_at((0, 5, 5)).assign(mean_intensity=3, mean_intensity_1=4, area=7)
    found = cell_factors(cells)
    assert set(found) == {"brightness", "brightness_1", "area"}
    assert found["brightness_1"].tolist() == [4]


def test_neighbours_are_told_from_the_tracks() -> None:
    cells = cells_at((0, 50, 50), (0, 50, 60), (0, 90, 50), (1, 50, 50))
    found = cell_factors(cells, {"m": 40})
    assert found["neighbours"][0] > 0
    assert found["neighbours_x"][0] > 0  # the other is on the right
    assert found["neighbours_x"][1] < 0
    assert found["neighbours_y"][0] == 0
    assert found["neighbours_axes"][0] < 0  # beside, not above or below
    assert found["neighbours"][2:].tolist() == [0, 0]
    np.testing.assert_allclose(
        found["neighbours"], cell_factors(cells, {"m": 40})["neighbours"]
    )


def test_movies_do_not_see_one_another() -> None:
    both = pd.concat(
        [cells_at((0, 50, 50), movie="a"), cells_at((0, 50, 52), movie="b")],
        ignore_index=True,
    )
    found = cell_factors(both, {"a": 40, "b": 40})
    assert not found["neighbours"].any()


def labels() -> np.ndarray:
    image = np.zeros((2, 40, 40), np.uint16)
    image[:, 10:20, 10:20] = 1
    image[0, 10:20, 24:30] = 2
    return image


def test_label_crops_show_own_and_others() -> None:
    cells = cells_at((0, 14.5, 14.5), (0, 14.5, 26.5), (1, 14.5, 14.5))
    parts = list(label_crops(labels(), cells, window=32, size=32, tracked=False))
    assert [part.rows.tolist() for part in parts] == [[0, 1], [2]]
    own, others = parts[0].own, parts[0].others
    assert own.sum((1, 2)).tolist() == [100, 60]
    assert others[0].sum() == 60
    assert not parts[1].others.any()
    # The second lies to the right of the first, and the other way round.
    found = neighbour_factors(others)
    assert found[0, 0] == pytest.approx(60 / 32**2)
    assert found[0, 1] > 0 > found[1, 1]
    assert found[0, 3] < 0
    assert not neighbour_factors(parts[1].others).any()


def test_label_crops_are_scaled_and_padded() -> None:
    cells = cells_at((0, 14.5, 14.5), (0, 2, 2))
    part = next(label_crops(labels(), cells, window=20, size=40, tracked=False))
    assert part.own[0].sum() == pytest.approx(400, abs=20)
    assert not part.own[1, :16, :16].any()
    assert not part.others[1, :16].any()


def test_label_crops_by_track() -> None:
    cells = cells_at((0, 14.5, 14.5), (0, 14.5, 14.5))
    part = next(label_crops(labels(), cells, window=32, size=32, tracked=True))
    assert part.own[0, 16, 16]
    assert not part.own[1, 16, 16]
    missing = cells.assign(track_id=[9, 9], t=[0, 7])
    parts = list(label_crops(labels(), missing, window=32, size=32, tracked=True))
    assert len(parts) == 1
    assert not parts[0].own.any()


def test_label_crops_can_be_cancelled() -> None:
    token = CancelToken()
    token.cancel()
    cells = cells_at((0, 14, 14))
    with pytest.raises(Cancelled):
        list(
            label_crops(labels(), cells, window=32, size=32, tracked=True, token=token)
        )
