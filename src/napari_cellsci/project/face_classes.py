"""The face of `Project` towards generative models of single classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.class_encoders import ClassTable


class ClassesFace:
    """What a `Project` can do for one class at a time; mixed into it."""

    _bench: Bench
    _labels: Labels

    def train_encoder_per_class(
        self,
        preset: str = "good",
        *,
        start_from: Any = None,
        name: str | None = None,
        usable_only: bool | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> ClassTable:
        """Train one encoder for the labelled cells of each class, and compare them.

        They are called ``name-class``. Classes with fewer than 8 labelled cells are
        passed over.

        Parameters
        ----------
        preset, start_from, usable_only, on_event, token
            See `train_encoder`.
        name : str, optional
            By default the kind and the preset.
        **settings
            Fields of `EncoderConfig`, such as ``kind`` and ``steps``.

        Returns
        -------
        ClassTable
            Every encoder on the cells of every class: error of the reconstructions,
            information of the code, and of GANs how many are taken for real.

        Raises
        ------
        InputError
            If fewer than two classes have cells enough.
        """
        from napari_cellsci.project.class_encoders import train_per_class

        return train_per_class(
            self._bench,
            self._labels,
            preset,
            start_from=start_from,
            name=name,
            usable_only=usable_only,
            overrides={k: v for k, v in settings.items() if v is not None},
            on_event=on_event,
            token=token,
        )
