"""The face of `Project` towards the search of settings and the comparison of heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.heads.search import SearchResult
    from napari_cellsci.project.comparison import Comparison


class SearchFace:
    """How a `Project` finds and compares heads; mixed into it."""

    _bench: Bench
    _labels: Labels

    def search(
        self,
        trials: int = 200,
        runs: int = 5,
        *,
        steps: int | None = None,
        storage: str | None = None,
        pareto: bool = False,
        encoder: Any = None,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> SearchResult:
        """Search the settings of RigL for sparse heads (scheme 3) by Optuna.

        A search that was begun on the same labels, encoder and settings is gone on
        with; several processes may work on one at the same time.

        Parameters
        ----------
        trials : int
            Settings that are tried, earlier sittings included.
        runs : int
            Heads trained with each.
        steps : int, optional
            Gradient steps of a head; by default 40 epochs.
        storage : str, optional
            URL of an Optuna storage, for several machines; by default a file in the
            run's folder.
        pareto : bool
            Search for all settings that nothing beats in accuracy and number of
            weights.
        encoder : str, path, Bundle or Encoder, optional
            By default the newest of the project.
        seed : int
        **settings
            Further fields of `SearchConfig`.

        Returns
        -------
        SearchResult

        Raises
        ------
        InputError
            If there are too few labels or no encoder, or a setting cannot be used.
        """
        from napari_cellsci.heads.search import SearchConfig
        from napari_cellsci.project.searching import search

        config = SearchConfig(
            trials=trials, runs=runs, steps=steps, pareto=pareto, seed=seed, **settings
        )
        return search(
            self._bench,
            self._labels,
            config,
            storage=storage,
            encoder=encoder,
            on_event=on_event,
            token=token,
        )

    def compare(self, bundles: Sequence[str] | None = None) -> Comparison:
        """Compare classifiers: sizes, held-out accuracy, and the latents they read.

        Parameters
        ----------
        bundles : sequence of str, optional
            Names; by default the newest of every scheme, and mode of sparse heads, of
            those that tell the classes of the newest one.

        Returns
        -------
        Comparison

        Raises
        ------
        InputError
            If there is no classifier, or none of a name.
        """
        from napari_cellsci.project.comparison import compare

        return compare(self._bench, bundles)
