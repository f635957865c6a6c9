"""One cell under attack: the gradient once, then any ε at once. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.explain.attacks.gradient import gradient
from napari_cellsci.explain.attacks.minimal import smallest_flip
from napari_cellsci.explain.attacks.steps import direction, perturbation, pgd
from napari_cellsci.explain.attacks.sweep import classes_of, evaluate
from napari_cellsci.explain.attacks.target import Space, Target, height, push
from napari_cellsci.explain.blend import crop_scale
from napari_cellsci.project.attack_plan import LARGEST
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.representation.normalise import normalise

Picture = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a cell is attacked.

    Parameters
    ----------
    member : int or None
        One head, or the mean.
    space : {"image", "latent"}
    steps : int
        1 for FGSM, more for PGD.
    mask : tuple of int, or None
        Latents that may move.
    towards : int or None
        A class to lead to; None leads away from what the cell is taken for.
    """

    member: int | None = None
    space: Space = "image"
    steps: int = 1
    mask: tuple[int, ...] | None = None
    towards: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Moved:
    """A cell at some ε: pictures (C, S, S) in normalised units, and scores.

    `drawn` is what the decoder makes of the latents, None without a decoder.
    """

    epsilon: float
    attacked: Picture
    difference: Picture
    drawn: Picture | None
    score: float
    decided: int


class AttackDesk:
    """One cell, one model, one kind of attack.

    Parameters
    ----------
    bundle : Bundle
    crop : array (C, S, S)
        Raw.
    choice : Choice
    """

    def __init__(self, bundle: Bundle, crop: NDArray[Any], choice: Choice) -> None:
        self.bundle, self.choice = bundle, choice
        self.target = Target.of(bundle.heads, bundle.encoder, choice.member)
        self.target.check(choice.space)
        self.pixels = normalise(np.asarray(crop)[None], bundle.spec)
        self.grey = float(crop_scale(np.asarray(crop)[None], bundle.spec).mean())
        self._code = self._encode(self.pixels)
        image = choice.space == "image"
        self._x = self.pixels if image else self._known(self._code)
        outputs = evaluate(self.target, self._x, choice.space)
        self.decided = int(classes_of(outputs.numpy())[0])
        reference = max(self.decided, 0) if choice.towards is None else choice.towards
        self._reference = torch.tensor([reference])
        found = gradient(self.target, self._x, self._reference, choice.space)
        self.broken, self.dead = bool(found.broken[0]), bool(found.dead[0])
        towards = choice.towards is not None
        way = push(found.outputs.shape[-1], self._reference, towards)
        self._mask = self._as_mask()
        self._unit = direction(found.sign, way, self._mask)
        self._gradient = found.values[0].numpy()
        self.score = float(height(outputs, self._reference)[0])
        self.drawn = self._decode(self._code)

    @staticmethod
    def _known(code: Tensor | None) -> Tensor:
        assert code is not None  # heads on latents always have an encoder
        return code

    @property
    def lead_of(self) -> str | None:
        """The class whose lead over the best other is the score; None for two."""
        if len(self.bundle.classes) == 2:
            return None
        return self.bundle.classes[int(self._reference[0])]

    def _as_mask(self) -> NDArray[np.bool_] | None:
        if self.choice.mask is None or self.choice.space == "image":
            return None
        mask = np.zeros(self._x.shape[1], bool)
        mask[list(self.choice.mask)] = True
        return mask

    def _encode(self, x: Tensor) -> Tensor | None:
        encoder = self.bundle.encoder
        if encoder is None:
            return None
        with torch.no_grad():
            return encoder.latent_mean(x)

    def _decode(self, code: Tensor | None) -> Picture | None:
        encoder = self.bundle.encoder
        if encoder is None or code is None:
            return None
        return np.asarray(encoder.decode(code.numpy())[0])

    @property
    def original(self) -> Picture:
        """The normalised crop (C, S, S)."""
        return np.asarray(self.pixels[0].numpy())

    def delta(self, epsilon: float) -> Tensor:
        """Return what is added to the crop, or to its latents, at some ε."""
        if self.choice.steps > 1:
            return pgd(
                self.target,
                self._x,
                self._reference,
                epsilon,
                self.choice.space,
                steps=self.choice.steps,
                towards=self.choice.towards is not None,
                mask=self._mask,
            )
        return perturbation(self._unit, epsilon)

    def at(self, epsilon: float) -> Moved:
        """Return the cell at some ε."""
        delta = self.delta(epsilon)
        moved = self._x + delta
        outputs = evaluate(self.target, moved, self.choice.space)
        if self.choice.space == "image":
            drawn = self._decode(self._encode(moved))
            attacked, difference = moved[0].numpy(), delta[0].numpy()
        else:
            drawn = self._decode(moved)
            assert drawn is not None
            assert self.drawn is not None
            difference = drawn - self.drawn
            attacked = self.original + difference
        return Moved(
            epsilon,
            attacked,
            difference,
            drawn,
            float(height(outputs, self._reference)[0]),
            int(classes_of(outputs.numpy())[0]),
        )

    def smallest(self) -> float:
        """Return the smallest ε that changes the class; infinite if none does."""
        flip = smallest_flip(
            self.target,
            self._x,
            self._unit,
            self._reference,
            LARGEST[self.choice.space],
            self.choice.space,
            towards=self.choice.towards is not None,
        )
        return float(flip.epsilon[0])

    def moved_latents(self, epsilon: float) -> NDArray[np.float32] | None:
        """Return by how much each latent (D,) moves; None without an encoder."""
        if self._code is None:
            return None
        delta = self.delta(epsilon)
        if self.choice.space == "latent":
            return np.asarray(delta[0].numpy())
        after = self._encode(self._x + delta)
        assert after is not None
        return np.asarray((after - self._code)[0].numpy())
