"""An encoder encodes what it should, and comes back from disk or says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.views import N_VIEWS, dihedral
from napari_cellsci.tasks import Cancelled, CancelToken, Progress

Crops = NDArray[np.uint16]


def test_latents_are_the_posterior_means(encoder: Encoder, crops: Crops) -> None:
    latents = encoder.encode(crops)
    with torch.no_grad():
        mu, _ = encoder.network.encoder(encoder.normalise(crops))
    assert latents.dtype == np.float32
    assert latents.shape == (96, 6)
    np.testing.assert_allclose(latents, mu.numpy(), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 64, 512])
def test_the_batch_does_not_matter(encoder: Encoder, crops: Crops, batch: int) -> None:
    part = crops[:20]
    np.testing.assert_allclose(
        encoder.encode(part, batch=batch), encoder.encode(part), atol=1e-5
    )


@pytest.mark.parametrize("g", range(N_VIEWS))
def test_a_view_is_the_code_of_the_turned_crop(
    encoder: Encoder, crops: Crops, g: int
) -> None:
    views = encoder.encode(crops[:9], views=True)
    assert views.shape == (9, N_VIEWS, 6)
    turned = dihedral(torch.from_numpy(crops[:9].astype(np.float32)), g)
    found = encoder.encode(turned.contiguous().numpy())
    np.testing.assert_allclose(views[:, g], found, atol=1e-5)


def test_errors_are_mean_squares_per_normalised_pixel(
    encoder: Encoder, crops: Crops
) -> None:
    mu, error = encoder.encode_with_error(crops)
    np.testing.assert_allclose(mu, encoder.encode(crops), atol=1e-6)
    residual = encoder.reconstruct(crops) - encoder.normalise(crops).numpy()
    np.testing.assert_allclose(error, (residual**2).mean((1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(encoder.reconstruction_error(crops), error)


def test_decoding_shows_normalised_crops(encoder: Encoder) -> None:
    z = np.random.default_rng(0).normal(size=(5, 6))
    images = encoder.decode(z)
    assert images.shape == (5, 1, 32, 32)
    np.testing.assert_allclose(encoder.decode(z, batch=2), images, atol=1e-5)
    with pytest.raises(InputError, match=r"shape \(n, 6\)"):
        encoder.decode(z[:, :5])


def test_crops_may_come_as_a_stream(encoder: Encoder, crops: Crops) -> None:
    order = np.random.default_rng(0).permutation(96)
    batches = [(rows, crops[rows]) for rows in np.split(order, [10, 10, 50])]
    expected, error = encoder.encode_with_error(crops)
    seen: list[int] = []
    for part in encoder.encode_batches(batches, with_error=True):
        np.testing.assert_allclose(part.mu, expected[part.rows], atol=1e-5)
        assert part.error is not None
        np.testing.assert_allclose(part.error, error[part.rows], rtol=1e-4)
        seen.extend(part.rows)
    assert sorted(seen) == list(range(96))


def test_a_memory_map_is_encoded_like_an_array(
    encoder: Encoder, crops: Crops, tmp_path: Path
) -> None:
    np.save(tmp_path / "crops.npy", crops)
    mapped = np.load(tmp_path / "crops.npy", mmap_mode="r")
    np.testing.assert_array_equal(encoder.encode(mapped), encoder.encode(crops))


def test_no_crops_have_no_latents(encoder: Encoder, crops: Crops) -> None:
    assert encoder.encode(crops[:0]).shape == (0, 6)
    assert encoder.encode(crops[:0], views=True).shape == (0, 8, 6)


def test_progress_is_told_and_encoding_stops_when_asked(
    encoder: Encoder, crops: Crops
) -> None:
    token, heard = CancelToken(), []

    def listen(event: object) -> None:
        heard.append(event)
        if len(heard) == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        encoder.encode(crops, batch=32, on_event=listen, token=token)
    assert heard == [Progress("Encoding cells", n, 96) for n in (32, 64)]


def test_the_bad_crop_is_named(encoder: Encoder, crops: Crops) -> None:
    bad = crops.astype(np.float32)
    bad[70, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="crop 70 is NaN"):
        encoder.encode(bad)
    with pytest.raises(InputError, match="shape"):
        encoder.encode(crops[:, :, :16, :16])


def test_gradients_reach_the_pixels(encoder: Encoder, crops: Crops) -> None:
    x = encoder.normalise(crops[:2]).requires_grad_()
    encoder.latent_mean(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().max()) > 0


def test_inactive_latents_are_known(encoder: Encoder) -> None:
    assert encoder.active.tolist() == [False, True, True, True, True, True]
    del encoder.reference["kl"]
    assert encoder.active.all()


def test_a_round_trip(encoder: Encoder, crops: Crops, tmp_path: Path) -> None:
    encoder.save(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]
    back = Encoder.load(tmp_path / "model")
    assert (back.spec, back.config, back.record) == (
        encoder.spec,
        encoder.config,
        encoder.record,
    )
    assert back.hash == encoder.hash
    np.testing.assert_array_equal(back.encode(crops), encoder.encode(crops))
    np.testing.assert_array_equal(back.reference["kl"], encoder.reference["kl"])


def test_saving_twice_replaces(encoder: Encoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    encoder.record["seed"] = 1
    encoder.save(tmp_path)
    assert Encoder.load(tmp_path).record["seed"] == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_the_hash_names_weights_and_crops(small: dict[str, Any]) -> None:
    def build(seed: int = 0, fov: float = 32, beta: float = 2) -> str:
        config = EncoderConfig(**{**small, "seed": seed, "beta": beta})
        spec = CropSpec(size=32, fov_px=fov)
        return Encoder(spec, config, new_network(config, 1, 32)).hash

    assert build() == build(beta=5)  # how it was trained is not what it is
    assert len({build(), build(seed=1), build(fov=40)}) == 3
    assert len(build()) == 12


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("weights.safetensors", cut, "does not match"),
        ("weights.safetensors", flip, "does not match"),
        ("weights.safetensors", Path.unlink, "cannot be read"),
        ("model.json", cut, "damaged"),
        ("model.json", Path.unlink, "is missing"),
        ("model.json", edit(schema=99), "newer version"),
        ("model.json", edit(schema=None), "newer version"),
        ("model.json", edit(kind="a cake"), "does not describe"),
        ("model.json", edit(weights={}), "names no weights"),
        ("model.json", edit(weights=None), "names no weights"),
        ("model.json", edit(hash="0" * 12), "fresh copy"),
        ("model.json", edit(spec={}), "do not belong together"),
        ("model.json", edit(config={"latent": 7}), "do not belong together"),
        ("model.json", lambda p: p.write_text("[]"), "no description"),
        ("model.json", lambda p: p.write_bytes(b"\xff\xfe"), "damaged"),
    ],
)
def test_damaged_files_are_refused(
    encoder: Encoder, tmp_path: Path, name: str, damage: Any, said: str
) -> None:
    encoder.save(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(BundleError, match=said):
        Encoder.load(tmp_path)


def test_weights_outside_the_folder_are_not_read(
    encoder: Encoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    (tmp_path / "model" / "weights.safetensors").rename(tmp_path / "secret")
    weights = {**json.loads(path.read_text())["weights"], "file": "../secret"}
    edit(weights=weights)(path)
    with pytest.raises(BundleError, match="cannot be read"):
        Encoder.load(tmp_path / "model")


def test_a_folder_that_cannot_be_written_is_named(
    encoder: Encoder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        encoder.save(tmp_path / "file")
