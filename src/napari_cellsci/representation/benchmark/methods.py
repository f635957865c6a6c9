"""The objectives that compete, each with the settings that differ from the preset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig

REFERENCE_PIXELS = 64**2
"""Pixels of the crops for which the weights of the presets were chosen."""

BATCH = 64
_MIDDLE = {"symmetry": 8.0, "focus": 0.95}
"""What `coarse` and `surround` are tried on top of."""


@dataclass(frozen=True, slots=True)
class Method:
    """One competitor.

    Parameters
    ----------
    name : str
        Unique; part of file names.
    route : str
        Methods of one route differ in numbers only.
    settings : dict
        Fields of `EncoderConfig` that differ from its preset.
    preset : str
        ``good`` or ``paper``.
    labelled : float
        Share of the tracks whose labels the objective is told.
    """

    name: str
    route: str
    settings: dict[str, Any] = field(default_factory=dict)
    preset: str = "good"
    labelled: float = 0.0

    def config(self, size: int, steps: int, seed: int) -> EncoderConfig:
        """Return the whole configuration of a run.

        Runs are short: batches are of 64 crops, which learn in less than half the
        time what batches of 256 learn, and all but the paper's take steps half again as
        large. Smaller crops have fewer pixels to sum errors over; the likelihood is
        sharpened so that a weight means the same as for crops of 64 px.
        """
        faster = {} if self.preset == "paper" else {"learning_rate": 1.5e-3}
        return EncoderConfig.preset(
            self.preset,
            **{
                **faster,
                "sigma_x": (size**2 / REFERENCE_PIXELS) ** 0.5,
                "batch": BATCH,
                "steps": steps,
                "seed": seed,
                "device": "cpu",
                **self.settings,
            },
        )


def _beta_vae(beta: float) -> Method:
    weights = {"alpha": beta, "beta": beta, "gamma": beta}
    return Method(f"beta-vae-{beta:g}", "beta-vae", weights)


def _tcvae(beta: float, estimator: str = "loo", **more: Any) -> Method:
    name = f"beta-tcvae-{beta:g}" + ("" if estimator == "loo" else f"-{estimator}")
    asked = {"beta": beta, "estimator": estimator, **more}
    return Method(name + ("-focus" if more else ""), "beta-tcvae", asked)


def _symmetry(beta: float, weight: float, **more: Any) -> Method:
    asked = {"beta": beta, "symmetry": weight, **more}
    name = f"symmetry-{weight:g}-beta-{beta:g}" + ("-focus" if more else "")
    return Method(name, "symmetry", asked)


def _coarse(beta: float, weight: float) -> Method:
    """Shape before texture, on top of symmetry and focus."""
    asked = {"beta": beta, **_MIDDLE, "coarse": weight}
    return Method(f"coarse-{weight:g}-beta-{beta:g}", "coarse", asked)


def _surround(beta: float, weight: float, **more: Any) -> Method:
    """Elongation is the cell's own, on top of symmetry and focus."""
    asked = {"beta": beta, **_MIDDLE, "surround": weight, **more}
    name = f"surround-{weight:g}-beta-{beta:g}" + ("-coarse" if more else "")
    return Method(name, "surround", asked)


def _quantised(latent: int, levels: int, **more: Any) -> Method:
    asked = {"latent": latent, "quantise": levels, "weight_decay": 0.1, **more}
    turned = "-symmetry" if more.get("symmetry") else ""
    return Method(f"quantised-{latent}x{levels}{turned}", "quantised", asked)


def _joint(beta: float, weight: float) -> Method:
    asked = {"beta": beta, "label_weight": weight}
    return Method(f"joint-{weight:g}-beta-{beta:g}", "joint", asked, labelled=0.1)


METHODS: tuple[Method, ...] = (
    Method("paper", "paper", preset="paper"),
    *(_beta_vae(beta) for beta in (2, 5)),
    *(_tcvae(beta) for beta in (5, 10, 20, 40)),
    *(_tcvae(20, estimator) for estimator in ("mss", "mws")),
    _tcvae(20, focus=0.95),
    *(_symmetry(*pair) for pair in ((10, 8), (20, 2), (20, 8))),
    _symmetry(20, 8, focus=0.95),
    # Coarse errors count up to threefold: at 60 the total correlation does so, too.
    *(_coarse(beta, 2) for beta in (20, 60)),
    _surround(20, 8),
    _surround(20, 8, coarse=2.0),
    *(_quantised(12, levels) for levels in (5, 12)),
    _quantised(12, 8, symmetry=8.0),
    *(_joint(20, weight) for weight in (20, 200)),
)


def choose_methods(names: Sequence[str] | None = None) -> tuple[Method, ...]:
    """Return the methods of these names or routes, in the order of `METHODS`; or all.

    Raises
    ------
    InputError
        If a name is neither.
    """
    if not names:
        return METHODS
    known = {m.name for m in METHODS} | {m.route for m in METHODS}
    for name in names:
        if name not in known:
            routes = ", ".join(dict.fromkeys(m.route for m in METHODS))
            raise InputError(
                f"There is no method {name!r}; name routes ({routes}) or one of "
                f"{', '.join(m.name for m in METHODS)}."
            )
    return tuple(m for m in METHODS if m.name in names or m.route in names)


def method_named(name: str) -> Method:
    """Return a method by its name."""
    return next(m for m in METHODS if m.name == name)
