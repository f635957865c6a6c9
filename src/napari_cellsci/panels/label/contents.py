"""What the lists of the Label panel hold: cards made from session and labels."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.labels import timeline
from napari_cellsci.panels.label import walk
from napari_cellsci.panels.label.cards import Card
from napari_cellsci.viewer.painted import codes_shown
from napari_cellsci.viewer.readout import placed

if TYPE_CHECKING:
    from napari_cellsci.project.labelling import Live
    from napari_cellsci.viewer.session import Session

MOST = 400
"""Cards of one kind."""


def name_of(session: Session, row: int) -> str:
    """Return which cell it is: movie where there are several, track and time.

    Images of single cells are called by their name.
    """
    table = session.table
    if table is None:
        return ""
    said = " · ".join(placed(session, row))
    many = len(table.movies) > 1
    return f"{table.movies[table.movie[row]]} · {said}" if many else said


def queue_cards(session: Session, live: Live | None, skipped: set[int]) -> list[Card]:
    """Return the cells worth a label, those done since struck out."""
    if live is None:
        return []
    codes, palette = session.label_codes(), session.palette
    names = tuple(palette)
    cards = []
    for pick in live.queue:
        if pick.row in skipped:
            continue
        code = int(codes[pick.row])
        guess = live.classes[pick.guess] if pick.guess >= 0 else ""
        color = palette[names[code]] if code >= 0 else palette.get(guess, "")
        detail = f"labelled {names[code]}" if code >= 0 else pick.reason
        name = name_of(session, pick.row)
        cards.append(Card(pick.row, name, detail, color, code >= 0))
    return cards


def check_cards(session: Session, live: Live | None) -> list[Card]:
    """Return labels that look wrong, and cells that flip faster than cells do."""
    palette = session.palette
    project = session.project
    cards = _between_people(session)
    seen = {card.row for card in cards}
    if live is not None and project is not None:
        for doubt in live.doubts[:MOST]:
            label = project.labels.get(doubt.row)
            if label != live.classes[doubt.label]:
                continue  # it was corrected since
            says = live.classes[doubt.says]
            detail = (
                f"labelled {label}; {says} by heads that never saw its track "
                f"(P = {doubt.probability:.2f})"
            )
            name = name_of(session, doubt.row)
            cards.append(Card(doubt.row, name, detail, palette.get(says, "")))
            seen.add(doubt.row)
    for row in walk.disputed(session)[:MOST].tolist():
        if row not in seen:
            cards.append(_disputed(session, row))
            seen.add(row)
    for flip in _flips(session)[:MOST]:
        if flip.row not in seen:
            names = tuple(palette)
            clock = session.clock(flip.row)
            gap = f"{flip.frames * clock.per_frame:.3g} {clock.unit}"
            detail = f"between two {names[flip.code]} {gap} apart: unlikely in one cell"
            cards.append(Card(flip.row, name_of(session, flip.row), detail))
    return cards


def _between_people(session: Session) -> list[Card]:
    """Return the cells that another annotator calls something else than this one."""
    project = session.project
    people = () if project is None else project.labels.annotators
    if project is None or project.labels.who not in people:
        return []
    labels, palette = project.labels, session.palette
    cards: dict[int, Card] = {}
    for other in people:
        if other == labels.who:
            continue
        disputed = labels.agreement(labels.who, other).disputed
        for row, mine, theirs in disputed.head(MOST).itertuples():
            detail = f"{labels.who}: {mine}; {other}: {theirs}"
            color = palette.get(theirs, "")
            cards.setdefault(row, Card(row, name_of(session, row), detail, color))
    return list(cards.values())


def _disputed(session: Session, row: int) -> Card:
    names = tuple(session.palette)
    said, label = (
        names[codes[row]]
        for codes in (session.predicted_codes(), session.label_codes())
    )
    detail = f"labelled {label}, the classifier says {said}"
    return Card(row, name_of(session, row), detail, session.palette[said])


def called(session: Session) -> np.ndarray:
    """Return each cell's class: its label, else its prediction; −1 for none."""
    codes = codes_shown(session)
    blank = len(session.palette) - 1
    return np.where(codes == blank, -1, codes)


def tracks(session: Session) -> np.ndarray:
    """Return a number per track of one movie."""
    table = session.table
    assert table is not None
    return table.movie * (int(table.track.max(initial=0)) + 1) + table.track


def _flips(session: Session) -> list[timeline.Flip]:
    if session.table is None or session.scores is None:
        return []
    codes = called(session)
    interval = session.frame_interval
    background = timeline.background_of(codes)
    number, t = tracks(session), session.table.t
    return timeline.flips_of(number, t, codes, background, interval)


def event_cards(session: Session) -> list[Card]:
    """Return the mitoses: stretches of a rarer class, with their duration.

    Cells seen only once have none.
    """
    if session.scores is None or not has_times(session):
        return []
    assert session.table is not None
    codes = called(session)
    events = timeline.events_of(
        tracks(session),
        session.table.t,
        codes,
        timeline.background_of(codes),
        np.abs(session.scores.score),
    )
    names, palette = tuple(session.palette), session.palette
    cards = []
    for event in events[: 5 * MOST]:
        clock = session.clock(event.first)
        span = clock.words(event.start)
        if event.stop > event.start:
            span = f"{span} – {clock.words(event.stop)}"
        last = event.duration(clock.frame_interval)
        detail = f"{event.cells} frame{'s' * (event.cells > 1)}"
        if last is not None:
            detail = f"{last[0]:.3g}–{last[1]:.3g} min ({detail})"
        if not event.whole:
            detail += ", cut off by the track's end"
        name = (
            f"{names[event.code]} · track {session.table.track[event.first]} · {span}"
        )
        cards.append(Card(event.peak, name, detail, palette[names[event.code]]))
    return cards


def has_times(session: Session) -> bool:
    """Whether cells are followed over time, so that something can happen to them."""
    table = session.table
    return table is not None and table.has_times(np.arange(len(table)))


def history_cards(session: Session) -> list[Card]:
    """Return what was done to labels, the last first, undone actions struck out."""
    project = session.project
    if project is None:
        return []
    table = project.labels.history(MOST)[::-1]
    many = len(project.labels.annotators) > 1
    cards = []
    for action in table.itertuples():
        when = datetime.fromisoformat(action.when).astimezone()
        said = f"{when:%d %b %H:%M:%S} · {action.how}"
        if many or action.who != project.labels.who:
            said += f" · {action.who}"
        cards.append(Card(-1, str(action.what), said, struck=bool(action.undone)))
    return cards
