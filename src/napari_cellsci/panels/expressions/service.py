"""The formulas of a project: what they are about, which are listed, which is shown.

Lives in the session, so that nothing is lost when the panel is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_cellsci.errors import InputError
from napari_cellsci.explain.codebook import open_codebook
from napari_cellsci.formulas import Expression
from napari_cellsci.heads.formula_summary import agreement_in_words
from napari_cellsci.heads.written_formula import ENGINE
from napari_cellsci.panels._classifier import ClassifierService, OpenClassifier
from napari_cellsci.panels._jobs import Work
from napari_cellsci.panels._source import IN_USE, SHIPPED, SourceOffer
from napari_cellsci.panels.expressions import candidates as lists
from napari_cellsci.panels.expressions.about import (
    against_the_rest,
    chosen,
    labels_about,
    sides_of,
)
from napari_cellsci.panels.expressions.bench import Bench
from napari_cellsci.panels.expressions.candidates import Candidate
from napari_cellsci.panels.expressions.showing import Shower
from napari_cellsci.panels.expressions.start import first_formula
from napari_cellsci.panels.expressions.subject import Subject
from napari_cellsci.panels.score.service import ScoreService

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.scoring import Scores
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

FORMULAS = 4
NETWORKS = (3, 2)
"""Schemes of the classifiers a formula can stand for, in the order of preference."""


@dataclass(eq=False)
class Opened(OpenClassifier):
    """A classifier on latents, and the cells as it sees them.

    Parameters
    ----------
    source : str
        How the project finds it.
    bundle : Bundle
    book : CodeBook
    scores : Scores
        What it says of all cells; of several classes, whether they are `about`.
    start : str
        A formula to begin with.
    about : str
        Of several classes the one that formulas stand for; the second of two.
    """

    scores: Scores
    start: str
    about: str


class ExpressionService(ClassifierService):
    """Opens the code of a classifier, and keeps what is written over it.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        `opened` is another one, or there is none any more.
    names_changed : Signal
        Latents are called something else.
    candidates_changed : Signal
    shown_changed : Signal
        The movie began or ceased to show the formula.
    bench : Bench
    candidates : list of Candidate
    kept : list of Bundle
        The project's classifiers of formulas on this code.
    job, atlas_job : Job
    """

    candidates_changed = Signal()
    shown_changed = Signal()
    opened: Opened | None

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.bench = Bench()
        self.candidates: list[Candidate] = []
        self.kept: list[Bundle] = []
        self.shower = Shower(session)
        self._about = ""
        session.labels_changed.connect(self._on_labels)
        session.classes_changed.connect(self._on_labels)

    # What formulas are about

    @property
    def source(self) -> str | None:
        """The classifier that is meant, None if there is none but the shipped one."""
        project, bundle = self._session.project, self._session.bundle
        if project is None:
            return None
        if self.opened is not None and self.is_shown:
            return self.opened.source  # what is shown is a formula about it
        if self._chosen is not None:
            return self._chosen
        if bundle is not None and bundle.scheme in NETWORKS:
            return IN_USE
        for scheme in NETWORKS:
            for info in reversed(project.bundles):
                if info.scheme == scheme:
                    return info.name
        return None

    def offers(self) -> list[SourceOffer]:
        """Return the classifiers on latents: the project's, and the shipped one."""
        project = self._session.project
        if project is None:
            return []
        found = [
            SourceOffer(info.name, info.name, f"Scheme {info.scheme}")
            for info in reversed(project.bundles)
            if info.scheme in NETWORKS
        ]
        tip = "Comes with the plugin, trained on simulated nuclei"
        return [*found, SourceOffer("mitosis (shipped)", SHIPPED, tip)]

    def choose(self, source: str) -> None:
        """Write about another classifier's code, from now on."""
        self._asked = None
        self.shower.forget()
        super().choose(source)

    def choose_about(self, name: str) -> None:
        """Write about another class, from now on."""
        if self.opened is not None and name != self.opened.about:
            self._about = name
            self.shower.forget()
            self.ensure(again=True)

    def _is_settled(self, key: str, again: bool) -> bool:
        shown = self.opened is not None and self.is_shown
        return (self._asked == key or shown) and not again

    def _work(self, project: Project, source: str) -> Work:
        session = self._session
        bundle = session.bundle if source == IN_USE else None
        if source == IN_USE:
            scored = session.service(ScoreService).scored
            source = str(scored.source) if scored is not None else source
        labelled = self._two(session)
        return partial(_open, project, source, bundle, labelled, self._about)

    @staticmethod
    def _two(session: Session) -> tuple[Any, Any]:
        """Return labels by row and the track of each row, read in the main thread."""
        project, table = session.project, session.table
        assert project is not None
        assert table is not None
        tracks = np.stack([table.movie, table.track], axis=1)
        groups = np.unique(tracks, axis=0, return_inverse=True)[1].ravel()
        return project.labels.as_series(), groups

    def _on_opened(self, opened: Opened) -> None:
        before, self.opened = self.opened, opened
        same = (
            before is not None
            and before.book.encoder == opened.book.encoder
            and before.about == opened.about
        )
        self.bench.take(self._subject(opened), keep=same)
        if not same:
            self.candidates = lists.merged(self._kept(opened))
        if not self.bench.text:
            self.bench.write(opened.start)
        self._take_names()
        self._judge_again()
        self.changed.emit()

    def _kept(self, opened: Opened) -> list[Candidate]:
        """Return what classifiers of the same code and classes have as formulas."""
        project, subject = self._session.project, self.bench.subject
        if project is None or subject is None:
            return []
        found: list[Candidate] = []
        self.kept = []
        told = set(opened.bundle.classes)
        for info in project.bundles:
            same = info.summary.get("encoder_hash") == opened.book.encoder
            same &= set(info.summary.get("classes", told)) == told
            if info.scheme == FORMULAS and same:
                self.kept.append(project.bundle(info.name))
                found += found_in(subject, self.kept[-1], opened.about)
        return found

    def agreed(self) -> str:
        """Say what the runs of the newest search on this code agree on."""
        subject = self.bench.subject
        for bundle in reversed(self.kept if subject is not None else []):
            assert subject is not None
            said = agreement_in_words(bundle.heads, subject.label)
            if said:
                runs = "1 run" if bundle.n_members == 1 else f"{bundle.n_members} runs"
                return f"{bundle.name}, {runs}. {' '.join(said)}"
        return ""

    def take_found(self) -> None:
        """Take formulas that a search has kept in the project."""
        if self.opened is not None:
            self.take(self._kept(self.opened))

    def _subject(self, opened: Opened) -> Subject:
        series, groups = self._two(self._session)
        scores = opened.scores.table["score"].to_numpy(np.float64)
        called = self._session.project.labels.called_now  # type: ignore[union-attr]
        names = [called(name) for name in opened.bundle.classes]
        return Subject(
            opened.book.latents,
            labels_about(series, names, called(opened.about), len(groups)),
            groups,
            sides_of(opened.bundle.classes, opened.about),
            scores,
            _names(opened),
        )

    # Names of latents

    def _call(self, atlas: LatentAtlas) -> None:
        super()._call(atlas)
        if self.bench.subject is not None:
            self.bench.take(replace(self.bench.subject, names=_names(self.opened)))

    # The list

    def keep(self, expression: Expression, origin: str = "written by hand") -> None:
        """Put a formula on the list."""
        self.extend([expression], origin)

    def extend(self, found: Iterable[Expression], origin: str) -> None:
        """Put formulas on the list."""
        subject = self.bench.subject
        if subject is not None:
            new = [lists.judged(subject, one, origin) for one in found]
            self.take(new)

    def take(self, new: Iterable[Candidate]) -> None:
        """Put formulas that were judged on the list."""
        self.candidates = lists.merged([*self.candidates, *new])
        self.candidates_changed.emit()

    def drop(self, candidate: Candidate) -> None:
        """Take a formula off the list."""
        self.candidates = [one for one in self.candidates if one is not candidate]
        self.candidates_changed.emit()

    def use(self, candidate: Candidate) -> None:
        """Write a formula of the list into the editor and show its scores."""
        self.bench.write(candidate.expression.text(digits=4))
        self.show()

    def _judge_again(self) -> None:
        subject = self.bench.subject
        if subject is not None and self.candidates:
            self.candidates = lists.merged(
                lists.judged(subject, one.expression, one.origin, one.held)
                for one in self.candidates
            )
            self.candidates_changed.emit()

    # On the movie

    @property
    def is_shown(self) -> bool:
        """Whether the movie shows the scores of a formula."""
        return self.shower.is_shown

    def show(self) -> None:
        """Colour the movie by the formula; from then on it follows what is written."""
        if self.opened is not None and self.bench.written is not None:
            before = self.is_shown
            self.shower.show(self.opened, self.bench.written)
            if not before:
                self.shown_changed.emit()

    def follow(self) -> None:
        """Show what is written, if the movie shows a formula already."""
        if self.is_shown:
            self.show()

    def show_network(self) -> None:
        """Colour the movie by the network again."""
        if self.opened is not None:
            self.shower.show_network(self.opened)
            self.shown_changed.emit()

    # What happens elsewhere

    def _on_labels(self, *_: object) -> None:
        subject, opened = self.bench.subject, self.opened
        if subject is None or opened is None:
            return
        self.bench.take(self._subject(opened))
        self._judge_again()

    def _drop(self) -> None:
        super()._drop()
        self.candidates, self.kept = [], []
        self.bench.take(None, keep=False)
        self.shower.forget()

    def _on_scores(self) -> None:
        if self.shower.is_shown:
            return
        self.shower.forget()
        bundle, opened = self._session.bundle, self.opened
        self.shown_changed.emit()
        if bundle is None or bundle.scheme not in NETWORKS:
            return
        self._chosen = None
        if opened is not None and bundle.hash == opened.bundle.hash:
            self._asked = self._key(IN_USE)
        self.changed.emit()


def found_in(subject: Subject, bundle: Bundle, about: str = "") -> list[Candidate]:
    """Return the formulas of a classifier of scheme 4 with their held-out accuracy.

    Of several classes those of the class `about`, whose accuracy alone is not known.
    """
    members: Any = bundle.heads.members
    rates = bundle.heads.report.member_balanced_accuracies
    by_hand = bundle.heads.config["engine"] == ENGINE
    found = []
    for k, head in enumerate(members.formulas):
        if len(head) == 1 and by_hand:
            origin = f"written by hand, kept as {bundle.name}"
            found.append(lists.judged(subject, head[0], origin))
        elif len(head) == 1:
            held = rates[k] if k < len(rates) else None
            origin = f"found by a search, kept as {bundle.name}, model {k}"
            found.append(lists.judged(subject, head[0], origin, held))
        elif about in bundle.classes:
            origin = f"of {about}, kept as {bundle.name}, model {k}"
            one = head[bundle.classes.index(about)]
            found.append(lists.judged(subject, one, origin))
    return found


def _open(
    project: Project,
    source: str,
    bundle: Bundle | None,
    labelled: tuple[Any, Any],
    about: str,
    on_event: OnEvent,
    token: CancelToken,
) -> Opened:
    from napari_cellsci.tasks import Progress

    on_event(Progress("Loading the classifier", 0, 0))
    found = project.bundle(source) if bundle is None else bundle
    if found.heads.input != "latents":
        raise InputError(f"The classifier {found.name!r} reads crops, not latents.")
    about = chosen(found.classes, about)
    scores = project.score(found, on_event=on_event, token=token)
    token.raise_if_cancelled()
    latents = np.asarray(project.latents(found.encoder, on_event=on_event, token=token))
    book = open_codebook(found.encoder, latents)
    if len(found.classes) > 2:
        scores = against_the_rest(scores, found.heads, latents, about)
    series, groups = labelled
    subject = Subject(
        book.latents,
        labels_about(series, found.classes, about, len(groups)),
        groups,
        network=scores.table["score"].to_numpy(np.float64),
    )
    name = source if source != IN_USE else SHIPPED
    return Opened(name, found, book, scores, first_formula(subject), about)


def _names(opened: Opened) -> dict[str, str]:
    """Return what the latents that have a name are called, by symbol."""
    return {f"z{i}": name for i, name in enumerate(opened.book.names) if name}
