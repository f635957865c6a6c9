"""Learning a cell filter from the labels of a project, and using it on its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.disk import whole_folder
from napari_cellsci.errors import InputError
from napari_cellsci.heads.usable.cell_filter import CellFilter
from napari_cellsci.heads.usable.compare import MethodReport, compare_filters
from napari_cellsci.heads.usable.judges import METHODS, Method, Sights, train_judge
from napari_cellsci.heads.usable.network import FilterConfig
from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.cell_sizes import cell_sizes
from napari_cellsci.project.plain import plain
from napari_cellsci.project.runs import versions
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.tasks import CancelToken, Done, Log, OnEvent, Progress

ROOM = "filters"


@dataclass(frozen=True, eq=False, slots=True)
class Filtered:
    """What a filter did to the cells of a project.

    Parameters
    ----------
    probability : array (n,)
        Of being usable, for every cell; 1 or 0 where a person said what the cell is.
    threshold : float
    out, back : int
        Cells that it newly filtered out, and that it took back.
    left_out : int
        Cells that are filtered out now.
    """

    probability: NDArray[np.float64]
    threshold: float
    out: int
    back: int
    left_out: int


@dataclass(frozen=True, eq=False, slots=True)
class _Known:
    rows: NDArray[np.int64]
    usable: NDArray[np.bool_]
    junk_names: tuple[str, ...]
    usable_names: tuple[str, ...]
    counts: dict[str, int]


def learn_filter(
    bench: Bench,
    labels: Labels,
    junk: Sequence[str],
    usable: Sequence[str] | None,
    *,
    method: Method,
    methods: Sequence[Method] | None,
    threshold: float | None,
    name: str | None,
    settings: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> CellFilter:
    """Compare filters, learn one from all labels, and keep it."""
    _check_method(method, *(methods or ()))
    config = FilterConfig(**settings)
    known = _known(labels, junk, usable)
    name = _free_name(bench, name, method)
    compared, sizes = _possible(bench, method, methods, on_event, token)
    store = generations.crops(bench, on_event=on_event, token=token)
    spec = fit_spec(bench.spec, store, on_event=on_event, token=token)
    everything = Sights(store, spec, sizes)
    cells, groups = everything.of(known.rows), bench.groups()[known.rows]
    said = " or ".join(known.junk_names), " or ".join(known.usable_names)
    reports = compare_filters(
        cells,
        known.usable,
        groups,
        compared,
        config,
        names=said,
        on_event=on_event,
        token=token,
    )
    judge = train_judge(
        method, cells, known.usable, config, config.seed, on_event=on_event, token=token
    )
    mine = next(report for report in reports if report.method == method)
    made = CellFilter(
        name=name,
        method=method,
        spec=spec,
        judge=judge,
        junk=known.junk_names,
        usable=known.usable_names,
        threshold=mine.threshold if threshold is None else threshold,
        reports=tuple(reports),
        record={
            "settings": plain(asdict(config)),
            "labels": known.counts,
            "data": data_fingerprint(bench),
            "versions": versions(),
        },
    )
    keep(bench, made)
    on_event(Done("Comparing filters"))
    return made


def _check_method(*methods: str) -> None:
    for method in methods:
        if method not in METHODS:
            raise InputError(
                f"There is no filter {method!r}: choose one of {', '.join(METHODS)}."
            )


def _known(labels: Labels, junk: Sequence[str], usable: Sequence[str] | None) -> _Known:
    """Return the labelled cells that are junk or usable.

    Raises
    ------
    InputError
        If a class is unknown or counts as both.
    """
    labels.refresh()
    names = labels.names
    wanted = [n for n in names if n not in junk] if usable is None else list(usable)
    for one in (*junk, *wanted):
        if one not in names:
            raise InputError(
                f"{one!r} is not a class of this project: choose of {', '.join(names)}."
            )
    if not junk or not wanted:
        raise InputError(
            "Say which classes are junk (--junk CLASS), and leave one that is usable."
        )
    both = sorted(set(junk) & set(wanted))
    if both:
        raise InputError(f"{both[0]} cannot be junk and usable at once.")
    series = labels.as_series()
    series = series[series.isin([*junk, *wanted])]
    rows = series.index.to_numpy(dtype=np.int64)
    is_junk = series.isin(list(junk)).to_numpy(dtype=bool)
    counts = {name: int((series == name).sum()) for name in (*junk, *wanted)}
    used = tuple(name for name in wanted if usable is not None or counts[name])
    return _Known(rows, ~is_junk, tuple(junk), used or tuple(wanted), counts)


def _possible(
    bench: Bench,
    method: Method,
    methods: Sequence[Method] | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[list[Method], NDArray[np.float64] | None]:
    """Return the filters to compare, and the sizes of all cells if known."""
    wanted = list(METHODS if methods is None else dict.fromkeys([*methods, method]))
    if "size" not in wanted:
        return wanted, None
    on_event(Progress("Measuring cells", 0, 0))
    sizes = cell_sizes(bench, token)
    if sizes is None and method != "size" and methods is None:
        on_event(Log("The sizes of the cells are not known: no size rule is compared."))
        wanted.remove("size")
    return wanted, sizes


def keep(bench: Bench, made: CellFilter) -> None:
    """Keep a filter in the project; one of that name is replaced."""
    folder = bench.folder / ROOM / made.name
    if folder.is_dir():
        made.save(folder)
        return
    with whole_folder(folder) as temporary:
        made.save(temporary)


def filter_names(bench: Bench) -> list[str]:
    """Return the names of the filters of a project, oldest first."""
    places = list((bench.folder / ROOM).glob("*/filter.json"))
    return [p.parent.name for p in sorted(places, key=lambda p: p.stat().st_mtime)]


def find_filter(bench: Bench, wanted: str | Path | CellFilter | None) -> CellFilter:
    """Return a filter by name or folder; by default the newest.

    Raises
    ------
    InputError
        If there is none.
    BundleError
        If it is damaged.
    """
    if isinstance(wanted, CellFilter):
        return wanted
    names = filter_names(bench)
    if wanted is None:
        if not names:
            raise InputError(
                "This project has no cell filter: learn one from labelled junk "
                "(`cellsci filter PROJECT --junk CLASS`)."
            )
        wanted = names[-1]
    if str(wanted) in names:
        return CellFilter.load(bench.folder / ROOM / str(wanted))
    if (Path(wanted) / "filter.json").is_file():
        return CellFilter.load(Path(wanted))
    known = ", ".join(names) or "none"
    raise InputError(
        f"There is no cell filter {str(wanted)!r}; this project has {known}."
    )


def _free_name(bench: Bench, name: str | None, method: Method) -> str:
    names = filter_names(bench)
    if name is None:
        number = 1
        while f"{method}-{number}" in names:
            number += 1
        return f"{method}-{number}"
    if not name.strip() or name.startswith(".") or any(c in name for c in "/\\:"):
        raise InputError(f"{name!r} cannot be the name of a filter: use letters.")
    if name in names:
        raise InputError(f"There is a filter {name!r} already: choose another name.")
    return name


def usable_probability(
    bench: Bench,
    labels: Labels,
    wanted: CellFilter,
    *,
    on_event: OnEvent,
    token: CancelToken | None,
) -> NDArray[np.float64]:
    """Return the probability of being usable of every cell (n,).

    What a person said of a cell wins: 0 for a class of junk, 1 for a usable one.

    Raises
    ------
    BundleError
        If the cells of the project cannot be cut as the filter needs them.
    """
    spec = generations.satisfy(bench, wanted.spec, f"The cell filter {wanted.name!r}")
    generations.tell_recut(bench, spec, f"the cell filter {wanted.name!r}", on_event)
    store = generations.crops(bench, spec, on_event=on_event, token=token)
    sizes = cell_sizes(bench, token) if wanted.needs_sizes else None
    p = wanted.probability(Sights(store, spec, sizes), on_event=on_event, token=token)
    said = labels.as_series()
    for names, value in ((wanted.junk, 0.0), (wanted.usable, 1.0)):
        p[said.index[said.isin(list(names))].to_numpy(dtype=np.int64)] = value
    return p


def use_filter(
    bench: Bench,
    labels: Labels,
    wanted: CellFilter,
    *,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Filtered:
    """Filter out the cells that are below the threshold; take back the others."""
    p = usable_probability(bench, labels, wanted, on_event=on_event, token=token)
    return apply_threshold(labels, wanted, p)


def apply_threshold(
    labels: Labels, wanted: CellFilter, p: NDArray[np.float64]
) -> Filtered:
    """Filter out cells by probabilities that are known already; see `use_filter`."""
    labels.refresh()
    out, back = labels.apply_filter(p >= wanted.threshold, said=wanted.words)
    return Filtered(p, wanted.threshold, out, back, len(labels.left_out))


def check_elsewhere(
    bench: Bench,
    labels: Labels,
    wanted: CellFilter,
    *,
    on_event: OnEvent,
    token: CancelToken | None,
) -> MethodReport:
    """Judge a filter by the labels of a project it may never have seen.

    Raises
    ------
    InputError
        If the project has no labels of one of the two kinds.
    """
    from napari_cellsci.heads.usable.compare import report_on

    names = set(labels.names)
    junk = [name for name in wanted.junk if name in names]
    usable = [name for name in wanted.usable if name in names]
    known = _known(labels, junk, usable)
    for word, mine in (("junk", ~known.usable), ("usable", known.usable)):
        if not mine.any():
            raise InputError(
                f"No cell of this project is labelled {word} as the filter knows it: "
                "label some to see how it does here."
            )
    spec = generations.satisfy(bench, wanted.spec, f"The cell filter {wanted.name!r}")
    store = generations.crops(bench, spec, on_event=on_event, token=token)
    sizes = cell_sizes(bench, token) if wanted.needs_sizes else None
    cells = Sights(store, spec, sizes).of(known.rows)
    p = wanted.probability(cells, on_event=on_event, token=token)
    return report_on(wanted.method, [(known.usable.astype(np.int64), p)])
