"""The networks of a classifier and what their inputs mean, read in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtGui import QImage

from napari_cellsci.explain.activity import activations
from napari_cellsci.explain.codebook import Reading, open_codebook, read_network
from napari_cellsci.explain.layout import MOST_EDGES
from napari_cellsci.explain.topology import Floats, Node, Topology
from napari_cellsci.panels._classifier import ClassifierService, OpenClassifier
from napari_cellsci.panels._jobs import Work
from napari_cellsci.panels._source import IN_USE, SHIPPED, SourceOffer
from napari_cellsci.panels.score.service import FORMULA, ScoreService

if TYPE_CHECKING:
    from napari_cellsci.heads.history import Film
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


@dataclass(eq=False)
class OpenNetworks(OpenClassifier):
    """A classifier whose networks can be looked at.

    Parameters
    ----------
    source : str
    bundle : Bundle
    book : CodeBook
    """

    _topologies: dict[int, Topology] = field(default_factory=dict)
    _readings: dict[tuple[int, int, int | None], Reading] = field(default_factory=dict)
    _activities: dict[int, list[Floats]] = field(default_factory=dict)

    @property
    def n_members(self) -> int:
        """Number of its networks."""
        return self.bundle.n_members

    def topology(self, member: int) -> Topology:
        """Return one network."""
        if member not in self._topologies:
            self._topologies[member] = Topology.of(self.bundle.heads, member)
        return self._topologies[member]

    def reading(
        self, member: int, most: int = MOST_EDGES, output: int | None = None
    ) -> Reading:
        """Return one network read with the codebook, perhaps as one output sees it."""
        key = member, most, output
        if key not in self._readings:
            if output is None:
                topology = self.topology(member)
                found = read_network(topology, self.book, most=most)
            else:
                found = self.reading(member, most).towards(output, most=most)
            self._readings[key] = found
        return self._readings[key]

    def sampled(self, member: int) -> list[Floats]:
        """Return the activations of one network for a sample of the cells."""
        if member not in self._activities:
            # Only the one that is looked at is kept.
            self._activities.clear()
            found = activations(self.topology(member), self.book.sample)
            self._activities[member] = found
        return self._activities[member]

    def spread(self, member: int, node: Node) -> tuple[float, float]:
        """Return the 1st and 99th percentile of a neuron's activation over cells."""
        value = self.sampled(member)[node.layer][:, node.number]
        low, high = np.percentile(value, (1, 99))
        return float(low), float(high)

    def film(self, member: int) -> Film | None:
        """Return how the connections of one network came and went, if it is known."""
        history = getattr(self.bundle.heads.members, "history", None)
        return None if history is None else history.film(member)

    @cached_property
    def pictures(self) -> list[list[QImage]]:
        """The decoded pictures along every latent, all with the same contrast."""
        return [self.images(strip) for strip in self.book.strips]


class NetworkService(ClassifierService):
    """Opens a classifier's networks and remembers which one is looked at.

    Without a choice it takes the classifier whose scores are shown if that reads
    latents, else the newest of the project with sparse heads, else with dense ones.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        `opened` is another one, or there is none any more.
    member_changed : Signal
        Another of its networks is looked at.
    names_changed : Signal
        Latents are called something else.
    job, atlas_job : Job
    """

    member_changed = Signal()
    opened: OpenNetworks | None

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._member = 0

    def offers(self) -> list[SourceOffer]:
        """Return the classifiers with networks: in use, the project's, the shipped."""
        session, found, hashes = self._session, [], set()
        if session.project is None:
            return []
        bundle = session.bundle
        if bundle is not None and bundle.scheme in (2, 3):
            hashes.add(bundle.hash)
            tip = f"Scheme {bundle.scheme}; its scores are shown"
            found.append(SourceOffer(bundle.name, IN_USE, tip))
        for info in reversed(session.project.bundles):
            if info.scheme in (2, 3) and info.hash not in hashes:
                tip = f"Scheme {info.scheme}, made {info.made_at[:10]}"
                found.append(SourceOffer(info.name, info.name, tip))
        scored = session.service(ScoreService).scored
        if scored is None or scored.source != SHIPPED:
            tip = "Comes with the plugin, trained on simulated nuclei"
            found.append(SourceOffer("mitosis (shipped)", SHIPPED, tip))
        return found

    @property
    def source(self) -> str | None:
        """The classifier that is meant, None if there is none but the shipped one."""
        usual = [offer.source for offer in self.offers()]
        if self._chosen in usual:
            return self._chosen
        if IN_USE in usual:
            return IN_USE
        project = self._session.project
        infos = [] if project is None else list(reversed(project.bundles))
        for scheme in (3, 2):
            for info in infos:
                if info.scheme == scheme:
                    return info.name
        return None

    @property
    def member(self) -> int:
        """Number of the network that is looked at."""
        return self._member

    @member.setter
    def member(self, member: int) -> None:
        if self.opened is None or member == self._member:
            return
        if 0 <= member < self.opened.n_members:
            self._member = member
            self.member_changed.emit()

    @property
    def is_scored(self) -> bool:
        """Whether the scores that are shown are those of the opened classifier."""
        scored = self._session.service(ScoreService).scored
        # A formula over its latents may have scored in its place.
        instead = scored is not None and scored.scores.bundle == FORMULA
        return self._is_meant and not instead

    @property
    def _is_meant(self) -> bool:
        """Whether the session's classifier is the opened one."""
        bundle, opened = self._session.bundle, self.opened
        return (
            bundle is not None
            and opened is not None
            and bundle.hash == opened.bundle.hash
        )

    @property
    def active_member(self) -> int | None:
        """The member whose scores are shown; None for the mean, or others."""
        scored = self._session.service(ScoreService).scored
        return scored.scores.member if scored is not None and self.is_scored else None

    def use_member(self) -> None:
        """Score with the network that is looked at, alone."""
        opened = self.opened
        if opened is None:
            return
        source: Any = opened.source
        service = self._session.service(ScoreService)
        if source == IN_USE and service.scored is not None:
            source = service.scored.source
        if source != IN_USE:
            service.run(source, self._member)

    def choose(self, source: str, member: int = 0) -> None:
        """Look at another classifier, from now on."""
        self._chosen = source
        if self._asked == self._key(source) and self.opened is not None:
            self.member = member
            return
        self._member = member
        self.ensure(again=True)

    def _work(self, project: Project, source: str) -> Work:
        return partial(_open, project, source, self._session.bundle)

    def _on_opened(self, opened: OpenNetworks) -> None:
        self.opened = opened
        self._member = min(self._member, opened.n_members - 1)
        active = self.active_member
        if active is not None:
            self._member = active
        self._take_names()
        self.changed.emit()

    def _on_project(self) -> None:
        self._member = 0
        super()._on_project()

    def _on_scores(self) -> None:
        active = self.active_member
        if self.is_scored and self.opened is not None:
            self._chosen = None
            if self.source is not None:
                self._asked = self._key(self.source)
                self.opened.source = self.source
            if active is not None:
                self.member = active
            self.changed.emit()
        elif self._is_meant:
            self.changed.emit()
        elif self._session.bundle is not None:
            self._chosen = None
            self._forget()


def _open(
    project: Project,
    source: str,
    bundle: Bundle | None,
    on_event: OnEvent,
    token: CancelToken,
) -> OpenNetworks:
    from napari_cellsci.tasks import Progress

    on_event(Progress("Loading the classifier", 0, 0))
    found = (
        bundle if source == IN_USE and bundle is not None else project.bundle(source)
    )
    Topology.of(found.heads)
    token.raise_if_cancelled()
    latents = project.latents(found.encoder, on_event=on_event, token=token)
    token.raise_if_cancelled()
    book = open_codebook(found.encoder, np.asarray(latents))
    return OpenNetworks(source, found, book)
