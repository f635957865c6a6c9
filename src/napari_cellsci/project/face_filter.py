"""The face of `Project` towards the cell filter: usable cells and junk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.usable import set_usable_only, usable_only
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.heads.usable.cell_filter import CellFilter
    from napari_cellsci.heads.usable.compare import MethodReport
    from napari_cellsci.project.filtering import Filtered


class FilterFace:
    """What a `Project` can do about junk; mixed into it."""

    _bench: Bench
    _labels: Labels

    @property
    def usable_only(self) -> bool:
        """Whether training passes over cells that are filtered out; may be set."""
        return usable_only(self._bench)

    @usable_only.setter
    def usable_only(self, wanted: bool) -> None:
        set_usable_only(self._bench, wanted)

    @property
    def cell_filters(self) -> list[str]:
        """Names of the cell filters that were learned here, oldest first."""
        from napari_cellsci.project.filtering import filter_names

        return filter_names(self._bench)

    def cell_filter(self, wanted: Any = None) -> CellFilter:
        """Return a cell filter by name or folder; by default the newest.

        Raises
        ------
        InputError
            If there is none.
        BundleError
            If it is damaged.
        """
        from napari_cellsci.project.filtering import find_filter

        return find_filter(self._bench, wanted)

    def learn_filter(
        self,
        junk: str | Sequence[str],
        usable: str | Sequence[str] | None = None,
        *,
        method: str = "cnn",
        methods: Sequence[str] | None = None,
        threshold: float | None = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> CellFilter:
        """Learn from labels which cells are junk, and compare ways of telling them.

        Parameters
        ----------
        junk : str or sequence of str
            Classes whose labelled cells are junk.
        usable : str or sequence of str, optional
            Classes whose labelled cells are usable; by default all others.
        method : {"cnn", "logistic", "size"}
            The filter to keep: a CNN on the crops, logistic regression on their pixels,
            or a rule of sizes (of original images, or of masks).
        methods : sequence of str, optional
            Filters to compare on held-out tracks; by default all that can be.
        threshold : float, optional
            Least probability of being usable; by default where the share of usable
            cells kept exceeds that of junk kept by most.
        name : str, optional
        on_event, token
        **settings
            Fields of `FilterConfig`: runs, test, steps, batch, learning_rate, dropout,
            balanced, seed.

        Raises
        ------
        InputError
            If there are too few labels of one of the two, or sizes are not known.
        """
        from napari_cellsci.project.filtering import learn_filter

        return learn_filter(
            self._bench,
            self._labels,
            _names(junk),
            None if usable is None else _names(usable),
            method=method,  # type: ignore[arg-type]
            methods=methods,  # type: ignore[arg-type]
            threshold=threshold,
            name=name,
            settings=settings,
            on_event=on_event,
            token=token,
        )

    def filter(
        self,
        wanted: Any = None,
        *,
        threshold: float | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Filtered:
        """Filter out the cells that a filter takes for junk, and take back the others.

        One action of the label log, which undo takes back; nothing is lost. Cells that
        a person filtered out or took back stay as they are.

        Parameters
        ----------
        wanted : str, path or CellFilter, optional
            By default the newest of the project.
        threshold : float, optional
            Another than the filter's own.
        on_event, token

        Raises
        ------
        InputError
            If there is no such filter, or it needs sizes that are not known.
        BundleError
            If the cells cannot be cut as the filter needs them.
        """
        from napari_cellsci.project.filtering import use_filter

        chosen = self.cell_filter(wanted)
        if threshold is not None:
            chosen = chosen.with_threshold(threshold)
        return use_filter(
            self._bench, self._labels, chosen, on_event=on_event, token=token
        )

    def check_filter(
        self,
        wanted: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> MethodReport:
        """Judge a filter, perhaps of another project, by the labels of this one.

        Raises
        ------
        InputError
            If no cell here is labelled junk, or none usable.
        """
        from napari_cellsci.project.filtering import check_elsewhere

        return check_elsewhere(
            self._bench,
            self._labels,
            self.cell_filter(wanted),
            on_event=on_event,
            token=token,
        )


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
