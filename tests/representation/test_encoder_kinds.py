"""Every kind of encoder keeps the promises of `Encoder`, on crops of any shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import pipelines_of
from napari_cellsci.errors import Collapsed, Diverged, InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.gan_run import GANRun
from napari_cellsci.representation.looks import pictures_of
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.train import new_fabric, train_encoder
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Log, Step

KINDS: dict[str, dict[str, Any]] = {
    "tcvae": {},
    "tcvae-dcgan": {"networks": "dcgan"},
    "bvae": {"kind": "bvae", "networks": "dcgan", "pixels": "bernoulli"},
    "bvae-plain": {"kind": "bvae", "pixels": "bernoulli", "focus": 0.5},
    "infogan": {"kind": "infogan", "roth_every": 2, "latent": 3},
    "infogan-grain": {"kind": "infogan", "decoder": "upsample", "grain": 0.05},
}
SHAPES = [(1, 32), (3, 48), (6, 64)]
ONE = CropSpec(size=16, fov_px=16)


def crops_of(channels: int, size: int, n: int = 24) -> NDArray[np.uint16]:
    """Blobs of some brightness and place, another in every channel."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:size, :size] / size - 0.5
    place = rng.uniform(-0.2, 0.2, (2, n, channels, 1, 1))
    blob = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 0.02)
    noise = rng.normal(0, 5, blob.shape)
    return (200 + 300 * blob + noise).clip(0).astype(np.uint16)


def config_of(kind: str, **asked: Any) -> EncoderConfig:
    settings: dict[str, Any] = {
        "latent": 4,
        "filters": (2, 4, 4, 8),
        "hidden": 8,
        "batch": 8,
        "steps": 6,
        "log_every": 1,
        "checkpoint_every": 2,
        "device": "cpu",
    }
    return EncoderConfig(**{**settings, **KINDS[kind], **asked})


def some_spec(channels: int, size: int) -> CropSpec:
    return CropSpec(size=size, fov_px=size, channels=tuple(range(channels)))


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest) -> Encoder:
    crops = crops_of(2, 32, 40)
    return train_encoder(crops, some_spec(2, 32), config_of(request.param))


@pytest.mark.parametrize(("channels", "size"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_crops_of_any_shape_are_encoded_and_drawn(
    kind: str, channels: int, size: int
) -> None:
    crops, spec = crops_of(channels, size, 5), some_spec(channels, size)
    config = config_of(kind)
    encoder = Encoder(spec, config, new_network(config, channels, size))
    z = encoder.encode(crops)
    assert z.shape == (5, config.latent)
    assert encoder.reconstruct(crops).shape == crops.shape
    assert encoder.decode(encoder.sample(3)).shape == (3, channels, size, size)


def test_a_trained_encoder_survives_its_files(trained: Encoder, tmp_path: Path) -> None:
    trained.save(tmp_path)
    again = Encoder.load(tmp_path)
    crops = crops_of(2, 32, 9)
    assert again.hash == trained.hash
    assert again.config == trained.config
    np.testing.assert_array_equal(again.encode(crops), trained.encode(crops))
    z = trained.sample(4)
    np.testing.assert_array_equal(again.decode(z), trained.decode(z))


def test_latents_do_not_depend_on_their_batch(trained: Encoder) -> None:
    crops = crops_of(2, 32, 9)
    alone = np.concatenate([trained.encode(crops[i : i + 1]) for i in range(9)])
    np.testing.assert_allclose(trained.encode(crops), alone, atol=1e-5)


def test_gradients_reach_the_pixels(trained: Encoder) -> None:
    x = trained.normalise(crops_of(2, 32, 3)).requires_grad_()
    trained.latent_mean(x).sum().backward()
    assert x.grad is not None
    assert bool(x.grad.any())


def test_what_is_usual_is_recorded(trained: Encoder) -> None:
    reference = trained.reference
    assert reference["kl"].shape == (trained.config.latent,)
    assert all(np.isfinite(array).all() for array in reference.values())
    assert trained.active.shape == (trained.config.latent,)


def test_pixels_stay_within_their_bounds(trained: Encoder) -> None:
    drawn = trained.decode(20 * trained.sample(16, seed=1))
    bounded = trained.config.kind == "infogan" or trained.config.pixels == "bernoulli"
    if bounded:
        assert np.abs(drawn).max() <= trained.spec.clip


def test_priors_have_variance_one(trained: Encoder) -> None:
    z = trained.sample(20_000, seed=2)
    np.testing.assert_allclose(z.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(z.std(0), 1, atol=0.05)
    if trained.config.kind == "infogan":
        assert np.abs(z).max() <= np.sqrt(3)
        assert trained.reach == pytest.approx(np.sqrt(3))
    np.testing.assert_array_equal(z[:5], trained.sample(20_000, seed=2)[:5])


class Ears:
    """Hears events; asks to stop at a step."""

    def __init__(self, stop: int | None = None) -> None:
        self.token, self.events = CancelToken(), list[Event]()
        self._stop = stop

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Step) and event.step == self._stop:
            self.token.cancel()


@pytest.mark.parametrize("kind", ["bvae", "infogan"])
def test_a_resumed_run_equals_the_uninterrupted(kind: str, tmp_path: Path) -> None:
    crops, spec, config = crops_of(1, 16), ONE, config_of(kind, steps=7)
    whole = train_encoder(crops, spec, config)
    ears = Ears(stop=3)
    with pytest.raises(Cancelled):
        train_encoder(
            crops, spec, config, run_dir=tmp_path, on_event=ears, token=ears.token
        )
    rest = Ears()
    again = train_encoder(
        crops, spec, config, run_dir=tmp_path, resume=True, on_event=rest
    )
    assert again.hash == whole.hash
    assert again.record["metrics"] == whole.record["metrics"]
    assert again.record["history"] == whole.record["history"]


def test_a_gan_tells_of_both_players() -> None:
    ears = Ears()
    train_encoder(crops_of(1, 16), ONE, config_of("infogan"), on_event=ears)
    steps = [event for event in ears.events if isinstance(event, Step)]
    told = {"loss_d", "loss_g", "code_error", "penalty", "roth", "real_right"}
    told |= {"drawn_right", "val_mse", "variety", "mi", "active"}
    assert told <= set(steps[-1].metrics)
    rates = [event.metrics["roth"] for event in steps]
    np.testing.assert_allclose(rates, np.geomspace(2.0, 0.02, 6))


def a_gan(**asked: Any) -> GANRun:
    config = config_of("infogan", **asked)
    return GANRun(crops_of(1, 16), ONE, config, new_fabric(config))


def test_the_generators_step_leaves_the_judges_alone() -> None:
    config = config_of("infogan")
    run = GANRun(crops_of(1, 16), ONE, config, new_fabric(config))
    judges = [*run.network.encoder.parameters(), *run.network.critic.parameters()]
    before = [p.detach().clone() for p in judges]
    drawer = [p.detach().clone() for p in run.network.decoder.parameters()]
    run._draw(8)
    assert all(torch.equal(p, old) for p, old in zip(judges, before, strict=True))
    assert all(p.requires_grad for p in judges)
    moved = zip(run.network.decoder.parameters(), drawer, strict=True)
    assert any(not torch.equal(p, old) for p, old in moved)


def test_the_penalty_is_as_heavy_whatever_unit_pixels_have() -> None:
    config = config_of("infogan", roth_every=1)
    found = []
    for text in ("zscore", "zscore+unit:4"):
        spec = CropSpec(size=16, fov_px=16, steps=pipelines_of(text))
        run = GANRun(crops_of(1, 16), spec, config, new_fabric(config))
        found.append(run.advance()["penalty"])
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_drawn_crops_take_on_the_noise_of_real_ones() -> None:
    config = config_of("infogan-grain", learning_rate=2e-2, steps=40, seed=1)
    crops = crops_of(1, 16, 48) + np.random.default_rng(0).integers(
        0, 400, (48, 1, 16, 16)
    )
    run = GANRun(crops, ONE, config, new_fabric(config))
    grain = run.network.decoder.grain
    assert grain is not None
    # Pixels lie between −4 and 4.
    assert float(grain.deviation.detach()) == pytest.approx(0.05 * 8)
    drawn = run.network.decoder(torch.zeros(200, 4))
    exposed = run.network.decoder.exposed(drawn, torch.Generator().manual_seed(0))
    noise = (exposed - drawn).detach()
    assert float(noise.std()) == pytest.approx(0.4, rel=0.02)
    for _ in range(20):
        run.advance()
    assert float(grain.deviation.detach()) > 0.45
    again = run.network.decoder(torch.zeros(2, 4))  # pictures are drawn without it
    assert torch.equal(again[0], again[1])


def test_a_generator_repeats_pixels_if_asked() -> None:
    plain, repeats = (
        new_network(config_of("infogan", decoder=how), 2, 32)
        for how in ("convtranspose", "upsample")
    )
    kinds = [
        {type(layer).__name__ for layer in network.decoder.body}
        for network in (plain, repeats)
    ]
    assert kinds[0] - kinds[1] == {"ConvTranspose2d"}
    assert kinds[1] - kinds[0] == {"UpsampledConv2d"}
    # A picture that does not vary stays so, away from its border.
    layer = repeats.decoder.body[4].double()
    even = layer(torch.ones(1, layer.in_channels, 6, 6, dtype=torch.float64))
    inside = even[..., 2:-2, 2:-2]
    assert torch.allclose(inside, inside[..., :1, :1])


def test_looking_does_not_change_a_gan() -> None:
    one, other = a_gan(), a_gan()
    one.advance()
    looked = pictures_of(one)
    other.advance()
    assert looked.drawn.shape[1:] == (1, 16, 16)
    assert one.advance() == other.advance()


def test_drawn_crops_that_are_all_the_same_end_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_cellsci.representation.gan_run.COLLAPSE_STEP", 1)
    monkeypatch.setattr("napari_cellsci.representation.gan_run.ALIKE", 10.0)
    run = a_gan(steps=20)
    for _ in range(3):
        run.advance()
    with pytest.raises(Collapsed, match="all crops the generator draws are the same"):
        run.advance()


def test_a_discriminator_that_is_never_wrong_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_cellsci.representation.gan_run.COLLAPSE_STEP", 1)
    monkeypatch.setattr("napari_cellsci.representation.gan_run.ALIKE", 0.0)
    monkeypatch.setattr("napari_cellsci.representation.gan_run.SURE", 0.0)
    ears = Ears()
    train_encoder(crops_of(1, 16), ONE, config_of("infogan", steps=8), on_event=ears)
    said = [event.message for event in ears.events if isinstance(event, Log)]
    assert sum("without fail" in sentence for sentence in said) == 1


def test_a_gan_that_diverges_says_what_to_try() -> None:
    run = a_gan()
    with torch.no_grad():
        run.network.critic.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="lower the learning rate or raise roth"):
        run.advance()


def test_a_code_nobody_can_read_is_inactive() -> None:
    config = config_of("infogan")
    network = new_network(config, 1, 16)
    encoder = Encoder(ONE, config, network)
    x = encoder.normalise(crops_of(1, 16))
    _, logvar = network.encoder(x)
    torch.testing.assert_close(logvar, torch.zeros_like(logvar))  # the prior's


def test_what_a_kind_cannot_do_is_refused() -> None:
    with pytest.raises(InputError, match="symmetry must be 0 for an encoder of kind"):
        config_of("infogan", symmetry=1.0)
    with pytest.raises(InputError, match="quantise must be 0 for an encoder of kind"):
        config_of("bvae", quantise=4)
    with pytest.raises(InputError, match="precision must be 32-true"):
        config_of("infogan", precision="bf16-mixed")
    with pytest.raises(InputError, match="kind must be one of tcvae, bvae, infogan"):
        EncoderConfig.preset("good", kind="gan")


@pytest.mark.parametrize("kind", ["tcvae", "bvae", "infogan"])
@pytest.mark.parametrize("preset", ["quick", "good", "paper"])
def test_presets_of_a_kind(kind: str, preset: str) -> None:
    config = EncoderConfig.preset(preset, kind=kind)
    assert config.kind == kind
    assert EncoderConfig.from_dict(config.to_dict()) == config
    assert ("kind" in config.to_dict()) == (kind != "tcvae")
    thesis = {"bvae": 2e-4, "infogan": 2e-4, "tcvae": 5e-4}
    if preset == "paper":
        assert config.learning_rate == thesis[kind]


def test_a_run_goes_on_from_an_encoder_of_its_kind_only() -> None:
    start = train_encoder(crops_of(1, 16), ONE, config_of("infogan", steps=2))
    config = config_of("infogan", steps=2)
    again = train_encoder(crops_of(1, 16), ONE, config, start_from=start)
    assert again.record["started_from"] == start.hash
    with pytest.raises(InputError, match="has kind infogan, these settings tcvae"):
        train_encoder(
            crops_of(1, 16),
            ONE,
            config_of("tcvae", latent=3, steps=2),
            start_from=start,
        )
