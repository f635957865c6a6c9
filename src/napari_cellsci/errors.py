"""The errors a user can meet, each one sentence: what is wrong, where, what to do."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what to do about it."""


class ProjectError(InputError):
    """A project folder cannot be opened or written as it stands."""


class BundleError(InputError):
    """A saved classifier is damaged, foreign, or made for other crops."""


class TrainingError(InputError):
    """Training cannot go on: the loss diverged, or nothing was learnt."""


class Diverged(TrainingError):
    """The loss is no longer a number."""


class Collapsed(TrainingError):
    """Nothing was learnt: no latent carries information."""


class MemoryShort(InputError):
    """The device or the computer has too little memory."""


class DeviceMissing(InputError):
    """The computer has no such device."""


class DataChanged(InputError):
    """What a run was started with is no longer what there is."""
