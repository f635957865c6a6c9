from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from napari_cellsci.errors import InputError
from napari_cellsci.project.run_state import (
    Happening,
    RunState,
    Wish,
    after,
    standing,
)

ENDS = (RunState.CANCELLED, RunState.DONE, RunState.FAILED, RunState.INTERRUPTED)
states = st.sampled_from(RunState)
happenings = st.sampled_from(Happening)


@given(states, st.lists(happenings, max_size=12))
def test_every_path_ends_where_nothing_or_only_a_new_start_can_happen(
    state: RunState, path: list[Happening]
) -> None:
    for happening in path:
        try:
            new = after(state, happening)
        except InputError:
            continue
        if state is RunState.DONE:
            pytest.fail("something happened to a run that was done")
        if state in ENDS:
            assert happening in (Happening.QUEUE, Happening.START)
        if happening is Happening.COMPLETE:
            assert new is RunState.DONE
        assert new.busy != (new in ENDS)
        state = new


@given(states)
def test_whatever_is_in_hand_can_vanish_fail_and_be_cancelled(state: RunState) -> None:
    if state.busy:
        assert after(state, Happening.VANISH) is RunState.INTERRUPTED
        assert after(state, Happening.FAIL) is RunState.FAILED
        assert after(state, Happening.CANCEL) is RunState.CANCELLING
    else:
        for happening in (Happening.PAUSE, Happening.CANCEL, Happening.COMPLETE):
            with pytest.raises(InputError):
                after(state, happening)


@given(states, st.sampled_from(Wish), st.booleans())
def test_a_run_stands_where_it_was_written_unless_it_is_in_hand(
    stored: RunState, wish: Wish, lives: bool
) -> None:
    found = standing(stored, wish, lives)
    if not stored.busy:
        assert found is stored
    elif not lives:
        assert found is RunState.INTERRUPTED
    else:
        assert found.busy


class OneRun(RuleBasedStateMachine):
    """A run, its process and an impatient user, against what must hold throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = RunState.QUEUED
        self.wish = Wish.NONE
        self.lives = True
        self.made = 0

    @property
    def state(self) -> RunState:
        return standing(self.stored, self.wish, self.lives)

    @rule(wish=st.sampled_from([Wish.PAUSE, Wish.CANCEL, Wish.NONE]))
    def ask(self, wish: Wish) -> None:
        asked = {
            Wish.PAUSE: Happening.PAUSE,
            Wish.CANCEL: Happening.CANCEL,
            Wish.NONE: Happening.GO_ON,
        }[wish]
        try:
            after(self.state, asked)
        except InputError:
            return
        self.wish = wish

    @precondition(lambda self: self.stored is RunState.QUEUED and self.lives)
    @rule()
    def begin(self) -> None:
        if after(self.state, Happening.START) is RunState.CANCELLING:
            self.stored = RunState.CANCELLED
        else:
            self.stored = RunState.RUNNING

    @precondition(lambda self: self.stored is RunState.RUNNING and self.lives)
    @rule()
    def work(self) -> None:
        if self.wish is Wish.CANCEL:
            self.stored = after(self.state, Happening.STOP)

    @precondition(lambda self: self.stored is RunState.RUNNING and self.lives)
    @rule(error=st.booleans())
    def end(self, error: bool) -> None:
        happening = Happening.FAIL if error else Happening.COMPLETE
        self.stored = after(self.state, happening)
        self.made += not error

    @rule()
    def kill(self) -> None:
        self.lives = False

    @precondition(lambda self: self.state.stopped)
    @rule()
    def go_on(self) -> None:
        self.stored = after(self.state, Happening.QUEUE)
        self.wish, self.lives = Wish.NONE, True

    @invariant()
    def makes_one_model_at_most(self) -> None:
        assert self.made <= 1
        assert (self.state is RunState.DONE) == (self.made == 1)

    @invariant()
    def can_be_left_or_gone_on_with(self) -> None:
        state = self.state
        assert state is RunState.DONE or state.busy or state.stopped

    @invariant()
    def a_wish_to_cancel_is_kept(self) -> None:
        if self.wish is Wish.CANCEL:
            assert self.state in (RunState.CANCELLING, *ENDS)


TestOneRun = OneRun.TestCase
TestOneRun.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
