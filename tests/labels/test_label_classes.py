from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.labels.agreement import agreement_of, cohen_kappa

Again = Callable[..., Labels]


def ids(labels: Labels) -> dict[str, int]:
    return {known.name: known.id for known in labels.classes}


def test_a_class_keeps_its_id_under_every_name(labels: Labels, again: Again) -> None:
    labels.set(0, "metaphase")
    before = ids(labels)["metaphase"]
    labels.rename_class("metaphase", "mitosis")
    assert labels.get(0) == "mitosis"
    assert ids(again())["mitosis"] == before
    assert labels.called_now("metaphase") == "mitosis"
    labels.add_class("plate")
    labels.merge_classes("plate", "mitosis")
    assert labels.called_now("plate") == "mitosis"
    labels.add_class("metaphase")  # the name is free again
    assert labels.get(0) == "mitosis"
    assert labels.called_now("metaphase") == "metaphase"


def test_merged_classes_count_as_one_until_that_is_undone(
    labels: Labels, again: Again
) -> None:
    labels.add_class("prophase")
    labels.set(0, "prophase")
    labels.set(1, "metaphase")
    labels.merge_classes("prophase", "metaphase")
    assert labels.counts() == {"interphase": 0, "metaphase": 2}
    assert again().get(0) == "metaphase"
    labels.undo()
    assert labels.get(0) == "prophase"
    assert again().counts() == {"interphase": 0, "metaphase": 1, "prophase": 1}


def test_colour_and_training_are_kept(labels: Labels, again: Again) -> None:
    labels.add_class("anaphase", trained=True)
    labels.recolour_class("anaphase", "#abcdef")
    labels.use_class("metaphase", False)
    trained = [c.name for c in again().classes if c.position is not None]
    assert trained == ["interphase", "anaphase"]
    assert again().classes[1].colour == "#ABCDEF"
    labels.use_class("metaphase", False)  # nothing to do, nothing logged
    assert labels.history()["what"].tolist() == [
        "class anaphase added",
        "class anaphase coloured #ABCDEF",
        "class metaphase kept out of training",
    ]


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        (("rename_class", "metaphase", "interphase"), "There is a class 'interphase'"),
        (("rename_class", "metaphase", " "), "is empty"),
        (("rename_class", "odd", "even"), "not a class of this project"),
        (("merge_classes", "metaphase", "metaphase"), "into itself"),
        (("merge_classes", "metaphase", "interphase"), "At least two classes"),
        (("use_class", "metaphase", False), "At least two classes"),
        (("recolour_class", "metaphase", "red"), "#RRGGBB"),
        (("add_class", "metaphase"), "already"),
        (("add_class", "blank"), "blank"),
    ],
)
def test_classes_that_could_not_be_told_apart_are_refused(
    labels: Labels, deed: tuple[object, ...], sentence: str
) -> None:
    name, *arguments = deed
    with pytest.raises(InputError, match=sentence):
        getattr(labels, str(name))(*arguments)
    assert labels.history().empty


def test_an_undo_that_others_made_impossible_is_refused(
    labels: Labels, again: Again
) -> None:
    labels.rename_class("metaphase", "mitosis")
    again("bob").add_class("metaphase")
    with pytest.raises(InputError, match="Two classes would be called 'metaphase'"):
        labels.undo()
    assert labels.names == ("interphase", "mitosis", "metaphase")


def test_a_class_that_others_use_is_not_taken_away(
    labels: Labels, again: Again
) -> None:
    labels.add_class("debris")
    bob = again("bob")
    bob.set(3, "debris")
    with pytest.raises(InputError, match="Cells are labelled debris"):
        labels.undo()
    bob.set(3, "interphase")
    labels.undo()
    assert "debris" not in labels.names
    bob.undo()  # what comes back has no class for the time being
    assert bob.get(3) is None
    assert len(bob) == 0
    labels.redo()
    bob.refresh()
    assert bob.get(3) == "debris"


def test_listeners_hear_of_classes_and_of_the_cells_they_move(labels: Labels) -> None:
    heard: list[object] = []
    labels.classes_changed.connect(lambda: heard.append("classes"))
    labels.changed.connect(lambda rows: heard.append(rows.tolist()))
    labels.add_class("prophase")
    labels.set_many([4, 2], "prophase")
    labels.merge_classes("prophase", "metaphase")
    assert heard == ["classes", [2, 4], "classes", [2, 4]]


def test_the_history_says_in_words_what_was_done(labels: Labels) -> None:
    labels.set_many([1, 2], "metaphase", how="bulk")
    labels.undo(how="key")
    assert labels.history()["what"].tolist() == [
        "2 cells → metaphase",
        "undid: 2 cells → metaphase",
    ]
    assert labels.history()["how"].tolist() == ["bulk", "key"]


def test_two_annotators_are_compared_on_what_both_labelled(
    labels: Labels, again: Again
) -> None:
    bob = again("bob")
    labels.set_many([0, 1, 2], "metaphase")
    labels.set_many([3, 4], "interphase")
    bob.set_many([0, 1, 3], "metaphase")
    bob.set(2, "interphase")
    labels.refresh()
    assert labels.annotators == ("ada", "bob")
    both = labels.agreement("ada", "bob")
    assert both.n == 4
    assert both.disputed.to_dict("index") == {
        2: {"ada": "metaphase", "bob": "interphase"},
        3: {"ada": "interphase", "bob": "metaphase"},
    }
    assert "agree on 2 of 4" in both.sentence
    with pytest.raises(InputError, match="'eve' has labelled nothing"):
        labels.agreement("ada", "eve")


def test_kappa_equals_the_independent_reference() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    one = rng.integers(0, 3, 400)
    other = np.where(rng.random(400) < 0.7, one, rng.integers(0, 3, 400))
    names = np.array(["a", "b", "c"])
    found = agreement_of(pd.Series(names[one]), pd.Series(names[other]), "x", "y")
    assert found.kappa == pytest.approx(cohen_kappa_score(one, other))
    # The error against the spread of κ over resampled cells.
    drawn = rng.integers(0, 400, (600, 400))
    spread = np.std([cohen_kappa_score(one[d], other[d]) for d in drawn[:200]])
    assert cohen_kappa(found.table)[1] == pytest.approx(spread, rel=0.25)


def test_agreement_on_one_class_alone_says_nothing() -> None:
    few = pd.Series(["a", "a"])
    assert "too few for" in agreement_of(few, few, "x", "y").sentence
    same = pd.Series(["a"] * 12)
    assert "says nothing" in agreement_of(same, same, "x", "y").sentence
    none = agreement_of(same, pd.Series(["a"], index=[99]), "x", "y")
    assert "no cell in common" in none.sentence
