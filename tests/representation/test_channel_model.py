from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.representation.channel_model import (
    ChannelConfig,
    ChannelModel,
    TrainedChannel,
    train_channel_model,
)
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.unet import UNet
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Step

SPEC = CropSpec(size=16, fov_px=16, channels=(0, 2))
N = 60
GROUPS = np.arange(N) // 2
ODD, EVEN = np.flatnonzero(GROUPS % 2), np.flatnonzero(GROUPS % 2 == 0)
PARTS = [(ODD, EVEN), (EVEN, ODD)]
CONFIG = ChannelConfig(steps=50, batch=16, folds=2)


def pictures() -> np.ndarray:
    """Blobs anywhere; the second channel is where the first one is steep.

    A line pixel by pixel cannot tell that, a network that looks around can.
    """
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:16, :16]
    y, x = rng.uniform(4, 12, (2, N, 1, 1))
    first = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 8)
    second = np.hypot(*np.gradient(first, axis=(1, 2)))
    both = np.stack([first, second], 1)
    return (1000 * both + rng.normal(0, 1, both.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def trained() -> TrainedChannel:
    return train_channel_model(pictures(), SPEC, 0, 2, GROUPS, PARTS, CONFIG)


def test_what_follows_from_the_other_channel_is_learned(
    trained: TrainedChannel,
) -> None:
    report = trained.model.report
    assert report.unet.r2 > 0.85
    assert report.linear.r2 < 0.8
    assert abs(report.mean_image.r2) < 0.6
    assert 0 < report.gain_interval[0] <= report.gain <= report.gain_interval[1]
    assert report.unet.interval[0] <= report.unet.r2 <= report.unet.interval[1]
    assert report.unet.psnr > report.linear.psnr > 0
    assert (report.n_cells, report.n_groups) == (N, N // 2)


def test_residuals_are_those_of_networks_that_have_not_seen_the_group(
    trained: TrainedChannel,
) -> None:
    crops = pictures()
    np.testing.assert_array_equal(trained.member, GROUPS % 2)
    seen = normalise(crops, SPEC)[:, 1].numpy()
    for row in (0, 2, 7):
        made, there = trained.model.predict(crops[[row]], int(trained.member[row]))
        np.testing.assert_allclose(there[0], seen[row], atol=1e-5)
        expected = ((there - made) ** 2).mean() / seen.var()
        assert trained.residual[row] == pytest.approx(expected, rel=1e-3)
    assert trained.residual.mean() == pytest.approx(
        1 - trained.model.report.unet.r2, rel=1e-3
    )


def test_what_the_first_channel_cannot_tell_is_left_in_the_residual() -> None:
    crops = pictures()
    crops[5, 1, 2:6, 2:6] += 800  # a spot that no other cell has
    token_free = ChannelConfig(steps=25, batch=16, folds=2)
    found = train_channel_model(crops, SPEC, 0, 2, GROUPS, PARTS, token_free)
    assert int(np.argmax(found.residual)) == 5


def test_a_model_is_kept_without_pickle_and_checked(
    trained: TrainedChannel, tmp_path: Path
) -> None:
    trained.model.save(tmp_path / "m")
    again = ChannelModel.load(tmp_path / "m")
    crops = pictures()[:3]
    for k in (None, 0, 1):
        for mine, theirs in zip(
            trained.model.predict(crops, k), again.predict(crops, k), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
    assert again.report == trained.model.report
    assert again.hash == trained.model.hash
    description = json.loads((tmp_path / "m" / "model.json").read_text())
    description["models"] = 5
    (tmp_path / "m" / "model.json").write_text(json.dumps(description))
    with pytest.raises(BundleError, match="no channel model that can be read"):
        ChannelModel.load(tmp_path / "m")


def test_pictures_of_any_size_keep_it() -> None:
    network = UNet(n_in=1, n_out=2, width=4).eval()
    for height, width in ((1, 1), (7, 20), (24, 24)):
        x = torch.zeros(2, 1, height, width)
        assert network(x).shape == (2, 2, height, width)


def test_company_does_not_change_what_is_said_of_a_picture() -> None:
    network = UNet(width=4, seed=3).eval()
    x = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(x)[2:3], network(x[2:3]))


def test_progress_is_told_and_training_stops_when_asked() -> None:
    events: list[Event] = []
    token = CancelToken()

    def listen(event: Event) -> None:
        events.append(event)
        token.cancel()

    with pytest.raises(Cancelled):
        train_channel_model(
            pictures(), SPEC, 0, 2, GROUPS, PARTS, CONFIG, on_event=listen, token=token
        )
    assert events == [Step(10, 100, events[0].metrics)]  # type: ignore[union-attr]


def test_channels_that_are_not_there_are_refused() -> None:
    crops = pictures()
    one = CropSpec(size=16, fov_px=16)
    with pytest.raises(InputError, match="takes two"):
        train_channel_model(crops[:, :1], one, 0, 1, GROUPS, PARTS)
    with pytest.raises(InputError, match=r"no channel 1; they have 0, 2"):
        train_channel_model(crops, SPEC, 0, 1, GROUPS, PARTS)
    with pytest.raises(InputError, match="name two"):
        train_channel_model(crops, SPEC, 2, 2, GROUPS, PARTS)
    with pytest.raises(InputError, match="multiple of 4"):
        ChannelConfig(width=6)
