"""The face of `Project` towards formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.formulas.engines import Status
    from napari_cellsci.formulas.jobs import Front
    from napari_cellsci.formulas.regions import Region
    from napari_cellsci.project.bundles import Bundle


class FormulasFace:
    """How a `Project` finds formulas; mixed into it."""

    _bench: Bench
    _labels: Labels

    def discover(
        self,
        *,
        runs: int = 10,
        engine: str = "auto",
        loss: str = "hinge",
        operators: str = "paper",
        source: Any = None,
        classes: Sequence[str] | None = None,
        inputs: Sequence[int | str] | None = None,
        encoder: Any = None,
        name: str | None = None,
        seed: int = 0,
        on_front: Callable[[dict[int, Front]], None] | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Bundle:
        """Search for formulas on the labelled cells and keep them as a bundle.

        Parameters
        ----------
        runs : int
            Searches; each gives one formula (with more classes one for each).
        engine : {"auto", "builtin", "pysr"}
            "auto" is PySR where its Julia is ready, else the built-in engine.
        loss : {"hinge", "mse", "logistic"}
            Hinge loss on the labels, or mean squared error to the scores of `source`.
        operators : {"paper", "plain"}
        source : str, path or Bundle, optional
            A classifier of scheme 3 or 2, whose latents and scores are taken; by
            default the newest sparse one.
        classes : sequence of str, optional
            To tell apart; by default those of `source` if it was given and the project
            has them, else those that the project uses for training.
        inputs : sequence of int or str, optional
            Latents that formulas may read; by default those that at least half of the
            sparse heads read.
        encoder : str, path, Bundle or Encoder, optional
            By default that of `source`, or the newest.
        name : str, optional
            Of the bundle.
        seed : int
        on_front : callable, optional
            Told all fronts so far, by search, whenever they grow.
        on_event, token
            A search that is cancelled keeps the runs that found something.
        **settings
            Further fields of `FormulaConfig`: maxsize, evaluations, iterations,
            seconds, nested, balanced, cores, fetch_julia, …

        Raises
        ------
        InputError
            If there are too few labels, no encoder, or nothing to follow.
        """
        from napari_cellsci.heads.formula import FormulaConfig
        from napari_cellsci.project.discovering import discover

        config = FormulaConfig(
            runs=runs,
            engine=engine,
            loss=loss,  # type: ignore[arg-type]
            operators=operators,
            seed=seed,
            **settings,
        )
        return discover(
            self._bench,
            self._labels,
            config,
            name=name,
            source=source,
            classes=classes,
            inputs=inputs,
            encoder=encoder,
            on_front=on_front,
            on_event=on_event,
            token=token,
        )

    def add_formula(
        self,
        formulas: str | Sequence[str],
        *,
        encoder: Any = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Bundle:
        """Keep a formula that was written by hand as a classifier of scheme 4.

        It is judged on all labelled cells, which its author may have looked at; its
        probability is calibrated on them.

        Parameters
        ----------
        formulas : str or sequence of str
            Over latents z0, z1, …: one for two classes (f ≥ 0 is the second), else one
            per class in the project's order, of which the largest wins.
        encoder : str, path, Bundle or Encoder, optional
            Whose latents are meant; by default the newest.
        name : str, optional
            Of the bundle.
        on_event, token

        Raises
        ------
        InputError
            If a formula cannot be read, the classes need another number of them, or
            there are too few labels.
        """
        from napari_cellsci.project.written import keep_formula

        return keep_formula(
            self._bench,
            self._labels,
            formulas,
            name=name,
            encoder=encoder,
            on_event=on_event,
            token=token,
        )

    def formula_regions(
        self,
        model: Any,
        member: int | None = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> list[Region]:
        """Return where each of several classes wins, as inequalities.

        Parameters
        ----------
        model : str, path or Bundle
            A classifier of scheme 4.
        member : int, optional
            One of its runs; by default the one with the best held-out accuracy.
        on_event, token

        Returns
        -------
        list of Region
            One per class; none where there are but two, which are told by the sign.

        Raises
        ------
        InputError
            If the classifier has no formulas.
        """
        from napari_cellsci.project.formula_regions import regions_of

        return regions_of(self._bench, model, member, on_event=on_event, token=token)

    def formula_engines(self) -> dict[str, Status]:
        """Return which engines are ready, without importing or starting any."""
        from napari_cellsci.formulas.engines import Process, PySR

        return {"builtin": Process("builtin").status(), "pysr": PySR().status()}
