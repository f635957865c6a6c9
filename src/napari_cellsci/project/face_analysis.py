"""The face of `Project` towards what its codes and channels tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.probing import ProbeResult


class AnalysisFace:
    """Probes and comparisons of a `Project`'s codes; mixed into it."""

    _bench: Bench
    _labels: Labels

    def probe(
        self,
        encoder: Any = None,
        classes: Sequence[str] | None = None,
        *,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> ProbeResult:
        """Ask how well small networks tell the classes from the latents alone.

        Nothing is kept: a probe judges a code, it is no classifier to work with.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            As in `find_encoder`.
        classes : sequence of str, optional
            By default all that are trained and have labels.
        seed : int
        on_event, token
        **settings
            Further fields of `ProbeConfig`.

        Raises
        ------
        InputError
            If there is no such encoder, or there are too few labels.
        """
        from napari_cellsci.heads.probe import ProbeConfig
        from napari_cellsci.project.latent_atlas import encoder_of
        from napari_cellsci.project.probing import encoder_name, probe_encoder

        found = encoder_of(self._bench, encoder)
        return probe_encoder(
            self._bench,
            self._labels,
            found,
            encoder_name(self._bench, found, encoder),
            classes,
            ProbeConfig(seed=seed, **settings),
            on_event,
            token,
        )
