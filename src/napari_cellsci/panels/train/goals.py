"""What can be trained, with presets in plain words; knows no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from napari_cellsci.project.run_request import RunRequest


@dataclass(frozen=True, slots=True)
class Preset:
    """A choice of settings with a plain name."""

    key: str
    title: str
    tip: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to train.

    Attributes
    ----------
    key, title, tip : str
    verb : str
        Of `Project`.
    config : str
        "module:class" of its settings.
    presets : tuple of Preset
    fixed : dict
        Arguments that every run of this goal has.
    on_latents : bool
        Whether it needs an encoder.
    labels : bool
        Whether it needs labelled cells.
    hidden : tuple of str
        Settings the panel has widgets of its own for.
    """

    key: str
    title: str
    tip: str
    verb: str
    config: str
    presets: tuple[Preset, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    on_latents: bool = False
    labels: bool = True
    hidden: tuple[str, ...] = ("seed",)

    @property
    def config_class(self) -> Any:
        """The dataclass of its settings; loads torch."""
        module, name = self.config.split(":")
        return getattr(import_module(f"napari_cellsci.{module}"), name)

    @property
    def of_cells(self) -> bool:
        """Whether it can learn from the cells of one class."""
        return self.verb == "train_encoder"

    @property
    def takes_classes(self) -> bool:
        """Whether the classes it learns can be chosen."""
        return self.verb == "train_head"

    def preset(self, key: str) -> Preset:
        """Return a preset by its key."""
        return next(preset for preset in self.presets if preset.key == key)

    def usual(self, preset: str) -> dict[str, Any]:
        """Return all settings of a preset, by name; loads torch."""
        kind, own = self.config_class, self.preset(preset).settings
        encoder = self.verb == "train_encoder"
        known = kind.preset(preset, **self.fixed) if encoder else kind(**own)
        return {name: getattr(known, name) for name in kind.__dataclass_fields__}


def _heads(
    scheme: int, title: str, tip: str, config: str, presets: tuple[Preset, ...]
) -> Goal:
    return Goal(
        f"heads{scheme}",
        title,
        tip,
        "train_head",
        config,
        presets,
        {"scheme": scheme},
        on_latents=scheme != 1,
    )


def _encoder(
    key: str, title: str, tip: str, presets: tuple[Preset, ...], **fixed: str
) -> Goal:
    return Goal(
        key,
        title,
        tip,
        "train_encoder",
        "representation.config:EncoderConfig",
        presets,
        fixed,
        labels=False,
        hidden=("seed", "device", "kind", *_NOT_ASKED[fixed.get("kind", "tcvae")]),
    )


_GAN = ("noise", "grain", "information", "roth", "roth_end", "roth_every", "dropout")
_OF_TC = ("alpha", "gamma", "estimator")
_NOT_ASKED = {
    "tcvae": _GAN,
    "bvae": (*_GAN, *_OF_TC, "quantise"),
    "infogan": (
        *_OF_TC,
        *("activation", "networks", "pixels", "sigma_x"),
        *("beta", "beta_warmup", "symmetry", "surround", "focus", "coarse"),
        *("quantise",),
        *("label_weight", "label_hidden", "precision"),
    ),
}
"""Settings that have no part in a kind of encoder."""
_QUICK = Preset("quick", "Quick look", "A minute or two tell whether crops are right")

# Another scheme is another row here, and a verb of `Project` that trains it.
GOALS: tuple[Goal, ...] = (
    _encoder(
        "encoder",
        "Encoder (β-TCVAE)",
        "Learns a code of few numbers for every cell, from the crops alone",
        (
            _QUICK,
            Preset("good", "Good", "Readable reconstructions of a few thousand crops"),
            Preset("paper", "Paper", "arXiv 2402.03115 to the letter: 41,000 steps"),
        ),
    ),
    _encoder(
        "bvae",
        "Encoder (β-VAE)",
        "A β-TCVAE that weighs all information alike: less independent latents",
        (
            _QUICK,
            Preset("good", "Good", "Readable reconstructions of a few thousand crops"),
            Preset("paper", "Thesis", "Wider networks, 24,000 steps: a GPU's work"),
        ),
        kind="bvae",
    ),
    _encoder(
        "infogan",
        "Encoder (InfoGAN)",
        "Draws new cells from a code of ten numbers and reads the code of real ones. "
        "Cells redrawn from it are less like themselves than by the other encoders",
        (
            Preset("quick", "Quick look", "Some minutes: whether the game gets going"),
            Preset("good", "Good", "Half an hour or more on a CPU"),
            Preset("paper", "Thesis", "Wider networks, 45,000 steps: a GPU's work"),
        ),
        kind="infogan",
    ),
    _heads(
        1,
        "CNN on crops (scheme 1)",
        "Learns the score from the pixels; good, but nothing in it can be read",
        "heads.cnn:CNNConfig",
        (
            Preset("quick", "Quick look", "Three models", {"models": 3, "steps": 100}),
            Preset("good", "Good", "Ten models", {}),
            Preset(
                "paper", "Paper", "Ten models, certain labels", {"label_smoothing": 0.0}
            ),
        ),
    ),
    _heads(
        2,
        "Dense heads (scheme 2)",
        "Learns the score from the code; fast",
        "heads.dense:DenseConfig",
        (
            Preset(
                "quick", "Quick look", "Three models", {"models": 3, "min_steps": 300}
            ),
            Preset("good", "Good", "Ten models", {}),
            Preset(
                "paper", "Paper", "Ten models, certain labels", {"label_smoothing": 0.0}
            ),
        ),
    ),
    _heads(
        3,
        "Sparse heads (scheme 3)",
        "Learns the score from few latents, by few connections that can be read",
        "heads.sparse:SparseConfig",
        (
            Preset(
                "quick",
                "Quick look",
                "Three models, few steps",
                {"models": 3, "scouts": 4, "min_steps": 1000, "epochs": 30},
            ),
            Preset("good", "Good", "Few latents and weights (mode compact)", {}),
            Preset("paper", "Paper", "RigL as published", {"mode": "paper"}),
        ),
    ),
    Goal(
        "search",
        "Search settings of sparse heads",
        "Tries many settings of RigL and keeps what is accurate and small",
        "search",
        "heads.search:SearchConfig",
        (
            Preset("quick", "Quick look", "20 trials", {"trials": 20, "runs": 3}),
            Preset("good", "Good", "200 trials of five runs", {}),
            Preset(
                "paper",
                "Accuracy against size",
                "All settings that nothing beats in accuracy and weights",
                {"pareto": True},
            ),
        ),
        on_latents=True,
    ),
)


EACH = "* each class *"
"""In place of a class: one encoder for each."""


def per_class_python(code: str) -> str:
    """Return the lines for one encoder for each class, from those for one."""
    return code.replace(".train_encoder(", ".train_encoder_per_class(")


def goal_of(key: str) -> Goal:
    """Return a goal by its key."""
    return next(goal for goal in GOALS if goal.key == key)


def _n_fixed(goal: Goal) -> int:
    return len(goal.fixed)


@dataclass(frozen=True, slots=True)
class Setup:
    """What the user has set up, until it is run.

    Attributes
    ----------
    goal, preset : str
        Keys.
    settings : dict
        What differs from the preset.
    encoder : str, optional
        For heads and searches; by default the newest.
    name : str
    seed : int
    device : str
    classes : tuple of str, optional
        That heads are to tell apart; by default those the project trains.
    usable_only : bool, optional
        Whether cells that are filtered out are passed over; by default as the project
        is set.
    of_class : str, optional
        The only class an encoder learns from; `EACH` for one encoder for each class.
    """

    goal: str = "encoder"
    preset: str = "good"
    settings: Mapping[str, Any] = field(default_factory=dict)
    encoder: str | None = None
    name: str = ""
    seed: int = 0
    device: str = "auto"
    classes: tuple[str, ...] | None = None
    usable_only: bool | None = None
    of_class: str | None = None

    def with_goal(self, key: str) -> Setup:
        """Return a setup for another goal: its settings begin anew."""
        return replace(self, goal=key, settings={}, name="")

    def with_preset(self, key: str) -> Setup:
        """Return a setup with another preset: what was set by hand is dropped."""
        return replace(self, preset=key, settings={})

    def request(self, threads: int | None = None) -> RunRequest:
        """Return what the run is asked to do."""
        goal = goal_of(self.goal)
        arguments: dict[str, Any] = {**goal.fixed}
        if goal.verb == "train_encoder":
            arguments |= {"preset": self.preset}
            if self.device != "auto":
                arguments |= {"device": self.device}
        else:
            arguments |= dict(goal.preset(self.preset).settings)
        arguments |= {"seed": self.seed, **self.settings}
        if goal.on_latents and self.encoder:
            arguments["encoder"] = self.encoder
        if self.name and goal.verb != "search":
            arguments["name"] = self.name
        if self.classes is not None and goal.takes_classes:
            arguments["classes"] = list(self.classes)
        if self.of_class not in (None, EACH) and goal.of_cells:
            arguments["of_class"] = self.of_class
        if self.usable_only is not None and goal.verb != "search":
            arguments["usable_only"] = self.usable_only
        return RunRequest(goal.verb, arguments, threads)

    @property
    def each_class(self) -> bool:
        """Whether one encoder for each class is asked for."""
        return self.of_class == EACH and goal_of(self.goal).of_cells

    @classmethod
    def of(cls, request: RunRequest) -> Setup:
        """Return the setup that asks for the same; the inverse of `request`."""
        given = dict(request.arguments)
        for name in ("resume", "name"):
            given.pop(name, None)
        fitting = [
            goal
            for goal in GOALS
            if goal.verb == request.verb
            and all(given.get(k) == v for k, v in goal.fixed.items())
        ]
        goal = max(fitting, key=_n_fixed)
        for name in (*goal.fixed, "kind"):
            given.pop(name, None)
        preset = str(given.pop("preset", "good"))
        seed, device = int(given.pop("seed", 0)), str(given.pop("device", "auto"))
        encoder = given.pop("encoder", None)
        classes, usable = given.pop("classes", None), given.pop("usable_only", None)
        of_class = given.pop("of_class", None)
        return cls(
            goal.key,
            preset,
            given,
            encoder,
            "",
            seed,
            device,
            None if classes is None else tuple(classes),
            usable,
            of_class,
        )
