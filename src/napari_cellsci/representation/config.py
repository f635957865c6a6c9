"""What an encoder is made of and how it is trained: every choice in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from napari_cellsci.errors import InputError

Activation: TypeAlias = Literal["silu", "mish", "relu"]
Decoder: TypeAlias = Literal["convtranspose", "upsample"]
Estimator: TypeAlias = Literal["loo", "mss", "mws", "batch"]
Device: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
Precision: TypeAlias = Literal["32-true", "bf16-mixed"]
Schedule: TypeAlias = Literal["constant", "cosine"]
Preset: TypeAlias = Literal["quick", "good", "paper"]
Kind: TypeAlias = Literal["tcvae", "bvae", "infogan"]
Networks: TypeAlias = Literal["plain", "dcgan"]
Pixels: TypeAlias = Literal["gaussian", "bernoulli"]

TITLES: dict[Kind, str] = {
    "tcvae": "β-TCVAE",
    "bvae": "β-VAE",
    "infogan": "InfoGAN",
}
"""The kinds as they are written for people."""
N_CONVOLUTIONS = 4
"""Each halves the image, so crops are multiples of 2⁴ px."""

_PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"steps": 600, "learning_rate": 2e-3},
    "good": {},
    # arXiv 2402.03115: five epochs of 2.1 M crops are 41,000 steps of 256.
    "paper": {
        "activation": "mish",
        "decoder": "upsample",
        "beta": 6.0,
        "learning_rate": 5e-4,
        "schedule": "constant",
        "steps": 41_000,
    },
}
# Isaksson 2018 counts epochs: here of 30,000 crops, its set of hand-labelled images.
_THESIS: dict[str, Any] = {"filters": (32, 64, 128, 256), "schedule": "constant"}
_OF_KIND: dict[str, dict[str, Any]] = {
    "tcvae": {},
    "bvae": {
        "networks": "dcgan",
        "pixels": "bernoulli",
        "filters": (16, 32, 64, 128),
        "beta": 0.25,  # as 4 with Gaussian pixels; see `pixels`
        "batch": 100,
    },
    "infogan": {
        "latent": 10,
        "filters": (16, 32, 64, 128),
        "hidden": 128,
        "decoder": "upsample",
        "grain": 0.04,
        "batch": 64,
        "learning_rate": 5e-4,
        "schedule": "constant",
        "steps": 6_000,
    },
}
_PRESETS_OF_KIND: dict[str, dict[str, dict[str, Any]]] = {
    "tcvae": _PRESETS,
    "bvae": {
        "quick": {"steps": 600, "learning_rate": 2e-3},
        "good": {},
        "paper": {**_THESIS, "beta": 1.0, "learning_rate": 2e-4, "steps": 24_000},
    },
    "infogan": {
        "quick": {"steps": 1_500},
        "good": {},
        "paper": {
            **_THESIS,
            "decoder": "convtranspose",
            "grain": 0.0,
            "batch": 100,
            "learning_rate": 2e-4,
            "roth_every": 1,
            "steps": 45_000,
        },
    },
}
_CHOICES: dict[str, Any] = {
    "kind": Kind,
    "networks": Networks,
    "pixels": Pixels,
    "activation": Activation,
    "decoder": Decoder,
    "estimator": Estimator,
    "device": Device,
    "precision": Precision,
    "schedule": Schedule,
}
_WEIGHTS = (
    *("alpha", "beta", "gamma", "symmetry", "surround", "coarse"),
    *("label_weight", "weight_decay"),
)
_ARCHITECTURE = ("latent", "filters", "hidden", "activation", "decoder")
_GAN_WEIGHTS = ("information", "roth", "roth_end")
_LATER = (
    *("kind", "networks", "pixels", "surround", "coarse"),
    *("noise", "grain", *_GAN_WEIGHTS, "roth_every", "dropout"),
)
"""Written down only where they differ from the default, so that the descriptions and
hashes of encoders that were made before they existed stay what they were."""
_NOT_OF_KIND = {
    "tcvae": (),
    "bvae": ("quantise",),
    "infogan": ("quantise", "symmetry", "surround", "coarse", "label_weight", "focus"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Networks, objective and budget of an encoder.

    The defaults are the preset ``good`` of a β-TCVAE.

    Parameters
    ----------
    latent : int
        Width of the latent vector z.
    filters : tuple of int
        Channels of the four convolutions, each of which halves the image.
    hidden : int
        Width of the fully connected layer between convolutions and latents.
    activation : {"silu", "mish", "relu"}
        Non-linearity of all layers. ``mish`` is the paper's; ``silu`` is close to it
        and about twice as fast on a CPU.
    decoder : {"convtranspose", "upsample"}
        Transposed convolutions, or the paper's nearest up-sampling before each
        3×3 convolution.
    alpha : float
        Weight of the mutual information between crops and latents.
    beta : float
        Weight of the total correlation: higher asks for more independent latents and
        pays with blurred reconstructions. About 20 separates position and size best
        where there are tens of thousands of crops; with a few thousand it blurs them.
    gamma : float
        Weight of the dimension-wise divergence from the unit Gaussian.
    estimator : {"loo", "mss", "mws", "batch"}
        How log q(z) is estimated from a batch; see `losses.log_weights`.
    sigma_x : float
        Standard deviation of the Gaussian likelihood of a normalised pixel; smaller
        asks for sharper reconstructions.
    symmetry : float
        Weight of the divergence between what turned crops are encoded as and how their
        latents ought to turn (`symmetry.layout`): elongation then lies along the image
        axes and diagonals, offsets come as x and y. 0, the paper's choice, leaves
        latents free.
    quantise : int
        Levels of each latent, if they are rounded to levels instead of being sampled
        (`quantise`); the weights alpha, beta and gamma then have no part. About 12
        latents of 8 levels suit single cells. 0, the default, samples.
    label_weight : float
        Weight of the cross-entropy of a small classifier on the means of those crops
        whose labels `train.train_encoder` is given, which then shape the latents too.
        Held-out scores of heads are honest only if the labels they are judged by were
        not among these. 0, the default, learns from crops alone.
    label_hidden : int
        Width of that classifier's hidden layer; 0 for a linear one.
    weight_decay : float
        Decoupled decay of all weights per step, relative to the learning rate.
    focus : float
        How much less a pixel counts for the objective the farther it is from the middle
        of its crop, where the cell is: 0, the paper's choice, not at all; at most 1,
        when pixels weigh by a Gaussian of a fifth of the crop's width. Less of the code
        is then spent on neighbours.
    beta_warmup : float
        Share of the steps over which β grows from γ to its value.
    batch : int
        Crops per gradient step.
    learning_rate : float
        Adam's step size; with ``schedule="cosine"`` its peak.
    schedule : {"constant", "cosine"}
        Constant learning rate, or a short warm-up followed by half a cosine to zero.
    steps : int
        Gradient steps, whatever the number of crops.
    seed : int
        Seed of the weights, of the order of crops and of the sampling noise.
    validation : float
        Share of the crops (whole groups, if given) kept out of training.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train; ``auto`` takes a GPU if there is one.
    precision : {"32-true", "bf16-mixed"}
        Arithmetic of the networks. The objective is always computed in float32.
    log_every : int
        Steps between two reports.
    checkpoint_every : int
        Steps between two checkpoints, if the run has a folder.
    kind : {"tcvae", "bvae", "infogan"}
        What learns the code. ``bvae`` is the variational autoencoder whose whole
        divergence is weighted by beta (alpha, gamma and the estimator have no part).
        ``infogan`` is a generator that must fool a discriminator, with a code that can
        be read off what it draws; see `infogan`.
    networks : {"plain", "dcgan"}
        ``dcgan``: the shape of a DCGAN, with batch normalisation, leaky rectifiers in
        the encoder and plain ones in the decoder (activation has no part; decoder in
        InfoGANs alone). An InfoGAN always has it.
    pixels : {"gaussian", "bernoulli"}
        Likelihood of a pixel. ``bernoulli`` is the binary cross-entropy on pixels of
        the range that the crops' normalisation allows, mapped to 0 … 1 (`pixels`);
        sigma_x then has no part. It is lenient: about a Gaussian whose deviation is
        half the range, so that a beta of 1 presses as 16 does on z-scores clipped at 4
        with sigma_x 1.
    surround : float
        Weight of what latents of elongation give away of the surroundings, found by
        exchanging these between crops (`second_look`); needs symmetry, which tells
        which latents are meant. Elongation then is the cell's own.
    coarse : float
        Weight of the error of crops averaged over 4×4 pixels, added to that of the
        pixels: more of the code is then spent on shape, less on texture. Not of
        Bernoulli pixels.
    noise : int
        InfoGAN: numbers beside the code that the generator may use as it likes.
    grain : float
        InfoGAN: standard deviation, at the first step and relative to the range of the
        pixels, of white noise that is added to what the generator draws, as a camera
        adds it; how strong it is in each channel is learnt. 0 leaves it out, and
        the noise of real crops then gives drawn ones away.
    information : float
        InfoGAN: weight λ of the information the picture must keep of the code.
    roth : float
        InfoGAN: weight γ of the discriminator's gradients at the first step (Roth et
        al. 2017, arXiv 1705.09367), as of crops of 32 px: for others it follows their
        area. Higher calms the game and blurs; 0 leaves it out.
    roth_end : float
        InfoGAN: the same at the last step; between them it falls geometrically.
    roth_every : int
        InfoGAN: the gradients are looked at every so many steps and then count as
        often, since they cost several steps without.
    dropout : float
        InfoGAN: share of the hidden layer before the code that is left out at random
        while it learns.
    """

    latent: int = 32
    filters: tuple[int, ...] = (8, 16, 32, 64)
    hidden: int = 256
    activation: Activation = "silu"
    decoder: Decoder = "convtranspose"
    alpha: float = 1.0
    beta: float = 10.0
    gamma: float = 1.0
    estimator: Estimator = "loo"
    sigma_x: float = 1.0
    symmetry: float = 0.0
    focus: float = 0.0
    quantise: int = 0
    label_weight: float = 0.0
    label_hidden: int = 0
    weight_decay: float = 0.0
    beta_warmup: float = 0.1
    batch: int = 256
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    steps: int = 2_000
    seed: int = 0
    validation: float = 0.1
    device: Device = "auto"
    precision: Precision = "32-true"
    log_every: int = 10
    checkpoint_every: int = 250
    kind: Kind = "tcvae"
    networks: Networks = "plain"
    pixels: Pixels = "gaussian"
    surround: float = 0.0
    coarse: float = 0.0
    noise: int = 1
    grain: float = 0.0
    information: float = 1.0
    roth: float = 2.0
    roth_end: float = 0.02
    roth_every: int = 4
    dropout: float = 0.25

    def __post_init__(self) -> None:
        if len(self.filters) != N_CONVOLUTIONS:
            raise InputError(
                f"The encoder has {N_CONVOLUTIONS} convolutions; give as many filters, "
                f"not {len(self.filters)}."
            )
        positive = ("latent", "hidden", "steps", "log_every", "checkpoint_every")
        for name in (*positive, "roth_every"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        _require("filters", self.filters, min(self.filters) >= 1, "at least 1 each")
        _require("batch", self.batch, self.batch >= 2, "at least 2")
        _require("seed", self.seed, 0 <= self.seed < 2**63, "0 or more")
        _require("label_hidden", self.label_hidden, self.label_hidden >= 0, "0 or more")
        levels = self.quantise
        _require("quantise", levels, levels == 0 or levels >= 2, "0 or at least 2")
        _require("noise", self.noise, self.noise >= 0, "0 or more")
        for name in (*_WEIGHTS, *_GAN_WEIGHTS):
            value = getattr(self, name)
            _require(name, value, 0 <= value < float("inf"), "0 or more")
        for name in ("sigma_x", "learning_rate"):
            value = getattr(self, name)
            _require(name, value, 0 < value < float("inf"), "positive")
        _require("focus", self.focus, 0 <= self.focus <= 1, "between 0 and 1")
        for name in ("beta_warmup", "validation", "dropout", "grain"):
            value = getattr(self, name)
            _require(name, value, 0 <= value < 1, "at least 0 and below 1")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            known = get_args(choices)
            _require(name, value, value in known, "one of " + ", ".join(known))
        self._require_kind()

    def _require_kind(self) -> None:
        """Refuse settings that have no meaning for this kind of encoder."""
        for name in _NOT_OF_KIND[self.kind]:
            value = getattr(self, name)
            _require(name, value, not value, f"0 for an encoder of kind {self.kind}")
        led = not self.surround or bool(self.symmetry)
        _require("surround", self.surround, led, "0 without symmetry")
        plain = not self.coarse or self.pixels == "gaussian"
        _require("coarse", self.coarse, plain, "0 with Bernoulli pixels")
        if self.kind == "infogan":
            alone = self.precision == "32-true"
            _require("precision", self.precision, alone, "32-true for an InfoGAN")

    @classmethod
    def preset(cls, name: str = "good", **overrides: Any) -> EncoderConfig:
        """Return a named set of choices.

        Parameters
        ----------
        name : {"quick", "good", "paper"}
            ``quick`` shows within a minute or two whether the crops are right;
            ``good`` gives readable reconstructions of a few thousand crops in some
            minutes on one CPU core; ``paper`` is arXiv 2402.03115 to the letter, of
            the other kinds Isaksson 2018.
        **overrides
            Fields that differ from the preset. Each ``kind`` has presets of its own.

        Raises
        ------
        InputError
            If the preset or a field is unknown, or a value out of range.
        """
        if name not in _PRESETS:
            raise InputError(
                f"There is no preset {name!r}; choose one of {', '.join(_PRESETS)}."
            )
        kind = overrides.get("kind", "tcvae")
        _require("kind", kind, kind in _OF_KIND, "one of " + ", ".join(_OF_KIND))
        own = {**_OF_KIND[kind], **_PRESETS_OF_KIND[kind][name]}
        return cls.from_dict({**own, **overrides})

    @property
    def architecture(self) -> dict[str, Any]:
        """The fields that decide the shape and meaning of the weights."""
        names = list(_ARCHITECTURE)
        # Only where it is used: hashes of encoders that sample stay what they were.
        if self.quantise:
            names.append("quantise")
        if self.kind != "tcvae":
            names.append("kind")
        if self.kind == "infogan":
            names += ["noise", *["grain"] * bool(self.grain)]
        names += [name for name in ("networks", "pixels") if name in self.later]
        values = asdict(self)
        values["filters"] = list(self.filters)
        return {name: values[name] for name in names}

    @property
    def later(self) -> dict[str, Any]:
        """What differs from its default among the fields that came later."""
        defaults = {field.name: field.default for field in fields(self)}
        values = {name: getattr(self, name) for name in _LATER}
        return {k: v for k, v in values.items() if v != defaults[k]}

    def passed_on(self, **overrides: Any) -> dict[str, Any]:
        """Return the fields of an encoder that starts from the weights of this one.

        Its architecture, and what keeps the meaning of its latents in place, but for
        `overrides`; what has no meaning with these is left out.
        """
        names = ["symmetry", "surround", "focus", "coarse"]
        if not overrides.get("symmetry", self.symmetry):
            names.remove("surround")
        kept = {name: getattr(self, name) for name in names}
        return {**self.architecture, **kept, **overrides}

    def beta_at(self, step: int) -> float:
        """Weight of the total correlation (``bvae``: of KL) at a step, from 0."""
        warmup = round(self.beta_warmup * self.steps)
        ramp = min(1.0, step / warmup) if warmup else 1.0
        start = 1.0 if self.kind == "bvae" else self.gamma
        return start + (self.beta - start) * ramp

    def roth_at(self, step: int) -> float:
        """Weight of the discriminator's gradients at a step counted from 0."""
        if not (self.roth and self.roth_end):
            return self.roth
        share = step / max(self.steps - 1, 1)
        return float(self.roth * (self.roth_end / self.roth) ** share)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back."""
        early = {k: v for k, v in asdict(self).items() if k not in _LATER}
        return {**early, "filters": list(self.filters), **self.later}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Rebuild a configuration from `to_dict`; missing fields take their default.

        Raises
        ------
        InputError
            If a field is unknown or out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"An encoder has no setting called {unknown[0]!r}.")
        values = dict(values)
        if "filters" in values:
            values["filters"] = tuple(values["filters"])
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(
                f"These encoder settings cannot be read: {error}."
            ) from error


def _require(name: str, value: object, holds: bool, what: str) -> None:
    """Raise one sentence if a field is out of range."""
    if not holds:
        raise InputError(f"The encoder setting {name} must be {what}, not {value}.")
