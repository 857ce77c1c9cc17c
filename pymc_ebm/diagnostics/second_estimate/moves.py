"""Log normalisers of any space, by annealing from its base law with its own moves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question, TooLong
from pymc_ebm.diagnostics.second_estimate.trajectories import log_runs_of
from pymc_ebm.energies.local_change import kept_change
from pymc_ebm.reference.annealing.metropolis import ByMoves
from pymc_ebm.reference.annealing.patterns import PatternMoves
from pymc_ebm.reference.annealing.population import NoWay
from pymc_ebm.reference.annealing.runs import log_weights, run
from pymc_ebm.reference.annealing.schedule import schedule
from pymc_ebm.reference.annealing.site_changes import sweep_by_changes
from pymc_ebm.space._points import Points
from pymc_ebm.space.base import Space
from pymc_ebm.space.sites import Sites

__all__ = ["by_moves"]


def by_moves(
    question: Question,
    space: Space,
    rng: np.random.Generator,
    *,
    anchors: int = 4,
    pilot: int = 256,
    runs: int = 8,
    first: int = 16,
    largest: int = 1024,
    draws: int = 4,
    seconds: float,
) -> Iterator[Answer]:
    """Independent runs of sequential Monte Carlo to the model at a few rows.

    As `pymc_ebm.reference.annealed`, by Metropolis steps of the space's own kinds, whatever its
    events are. A pilot chooses the levels and how far the steps go.

    Parameters
    ----------
    question : Question
    space : Space
        With a base law.
    rng : Generator
    anchors : int
        Rows far from one another.
    pilot : int
        Particles of the pilot.
    runs : int
    first, largest : int
        Particles of a run, in the first answer and at most in the last; each answer adds as many as
        there were.
    draws : int
        States kept of each particle at each anchor.
    seconds : float
        What the answers may take together.

    Yields
    ------
    Answer
        Its noise is that of the runs.

    Raises
    ------
    CannotTell
        Neither data nor points; no answer in time; runs without any mass.
    """
    if not len(question.known):
        raise CannotTell("There are neither data nor points from which a law could be made.")
    chosen = question.far_apart(anchors)
    kind: type[_Asked] = _Asked
    if question.local_change is not None and isinstance(space, Sites):
        kind = _BySites
    elif question.local_change is not None and isinstance(space, Points):
        kind = _ByPatterns
    asked = kind(question, space, chosen, rng)
    since = time.thread_time()
    asked.deadline = since + seconds
    nothing = lambda part: None
    particles, n_points, log_runs = 0, 0, np.full((runs, question.n_rows), -np.inf)
    try:
        legs = schedule(asked, len(chosen), pilot, rng, nothing)
        while particles < largest:
            # As many as there are, so that both halves count alike.
            more, began = particles or first, time.thread_time()
            made = run(asked, legs, runs, more, draws, rng, nothing)
            states, log_base, labels = log_weights(asked, made)
            # Points of all anchors together.
            log_new = log_runs_of(
                question.log_densities, question.n_rows, states.astype(float), log_base, labels
            )
            log_runs = np.logaddexp(log_runs, log_new) - np.log(2 if particles else 1)
            particles, n_points = particles + more, n_points + len(states)
            answer = Answer.of_runs(
                log_runs,
                f"{runs} runs of annealing from a law of known Z, with {n_points:,} points",
                "A part of the space that neither annealing nor the data enter may be missed.",
            )
            now = time.thread_time()
            # The first answer alone has a pilot, which compiles as well.
            growth = (now - began) * particles / more / (now - since)
            yield replace(answer, growth=growth)
            since = time.thread_time()
    except NoWay as error:
        raise CannotTell(f"The second estimate found no way to the model. {error}") from error
    except _TooLate as late:
        if not particles:
            raise TooLong(asked.n_dim, seconds) from late


class _TooLate(Exception):
    """Raised where the time is over."""


class _Asked(ByMoves):
    """The events of a question, for the runs of an annealed reference."""

    deadline = np.inf

    def __init__(self, question: Question, space: Space, anchors, rng):
        known = question.known
        shape = space.event_shape
        self.event_shape = (known.shape[1],) if shape is None else shape
        self.n_dim = math.prod(self.event_shape)
        self._question, self._space, self._rows = question, space, anchors
        self._dtype = np.dtype(float) if space.dtype == "floatX" else np.dtype(space.dtype)
        data = known.reshape(-1, *self.event_shape).astype(self._dtype)
        self._law: Any = space.base_law(data, rng)
        self.fewest_moves, self.most_moves = self.n_dim, 32 * self.n_dim

    def potential(self, number, rows):
        """See `ByMoves`; +inf outside the space."""
        if number == 0:
            return -self._law.log_density(rows), None
        row = self._rows[number - 1 : number]
        return -self._question.log_densities(rows.astype(float), row)[0], None

    def move(self, population, beta, scale, rng):
        """See `ByMoves`."""
        if time.thread_time() > self.deadline:
            raise _TooLate
        return self._moved(population, beta, scale, rng)

    def _moved(self, population, beta, scale, rng):
        return super().move(population, beta, scale, rng)


class _BySites(_Asked):
    """Sites whose energy says what a new value changes, moved by Gibbs sampling."""

    def __init__(self, question: Question, space, anchors, rng):
        super().__init__(question, space, anchors, rng)
        self.fewest_moves, self.most_moves = 2, 64
        self._sites = space
        with np.errstate(divide="ignore"):
            self._base = -np.log(self._law.p)
        assert question.local_change is not None
        self._changes = [question.local_change(int(row)) for row in anchors]

    def _moved(self, population, beta, scale, rng):
        """One sweep over the sites of every particle."""
        start, end = population.start, population.end
        of_base = 1 - beta if start == 0 else 0.0
        function, at_end = self._changes[end - 1]
        at_start = self._changes[max(start, 1) - 1][1]
        codes = self._sites.codes(population.states)
        sweep_by_changes(
            codes, rng.random(codes.shape), self._sites.values, self._sites.n_values, self._base,
            np.array([of_base, 0.0 if start == 0 else 1 - beta, beta]), *kept_change(function),
            at_start, at_end,
        )  # fmt: skip
        rows = self._sites.points(codes).reshape(len(codes), -1).astype(self._dtype)
        return population.at(rows), 1.0


class _ByPatterns(_Asked):
    """Patterns whose energy says what a birth, a death or a move changes."""

    def __init__(self, question: Question, space, anchors, rng):
        super().__init__(question, space, anchors, rng)
        assert question.local_change is not None
        changes = [question.local_change(int(row)) for row in anchors]
        self.fewest_moves, self.most_moves = PatternMoves.fewest_moves, PatternMoves.most_moves
        self._moves = PatternMoves(
            space, self._law.by_number, (changes[0][0], [params for _, params in changes])
        )

    def _moved(self, population, beta, scale, rng):
        return self._moves.move(population, beta, scale, rng)
