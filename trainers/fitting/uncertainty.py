"""The standard errors of a fit: from the information at its best parameters."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bioae.trainers.fitting.terms import Floats, Objective

#: The step of the differences that give the observed information, in units of the error of a
#: parameter if all others are known, and its bounds in u.
_STEP, _NARROWEST, _WIDEST = 0.1, 1e-8, 1e-3

#: A parameter this close to an end of its range, in u, is at a bound.
_AT_BOUND = 1e-3

#: Parameters of smaller weight do not belong to a direction.
_ROUNDING = 1e-9


class Uncertainty:
    """The standard errors of parameters in u, a point from 0 to 1 (parameter).

    `fisher`: the information there, of Gauss and Newton or of Fisher.
    """

    def __init__(self, objective: Objective, u: Floats, fisher: Floats) -> None:
        self._objective, self._u, self._fisher = objective, u, fisher
        self.inside: NDArray[np.bool_] = (u > _AT_BOUND) & (u < 1 - _AT_BOUND)
        #: The parameters of which there is information: inside, and not in whole steps.
        self.informed = self.inside & [not each.step for each in objective.free]

    @cached_property
    def information(self) -> Floats:
        """The information in u: differences of the gradient, or that of Fisher."""
        count = len(self._u)
        with np.errstate(divide="ignore"):
            widths = np.clip(_STEP / np.sqrt(np.diag(self._fisher)), _NARROWEST, _WIDEST)
        at = np.clip(self._u, widths, 1 - widths)
        steps = np.diag(widths)
        gradient = self._objective(np.concatenate([at + steps, at - steps])).gradient
        matrix = (gradient[:count] - gradient[count:]) / (2 * widths[:, None])
        matrix = (matrix + matrix.T) / 2
        within = matrix[np.ix_(self.informed, self.informed)]
        if np.isfinite(within).all() and (np.linalg.eigvalsh(within) > 0).all():
            return np.asarray(matrix)
        return self._fisher

    @cached_property
    def directions(self) -> tuple[Floats, Floats]:
        """The standard errors of directions in u, and the directions (direction, parameter)."""
        inside = np.flatnonzero(self.informed)
        eigenvalues, vectors = np.linalg.eigh(self.information[np.ix_(inside, inside)])
        with np.errstate(all="ignore"):
            errors = np.where(eigenvalues > 0, 1 / np.sqrt(eigenvalues), np.inf)
        directions = np.zeros((len(inside), len(self._u)))
        directions[:, inside] = vectors.T
        return errors, directions

    @cached_property
    def errors(self) -> Floats:
        """The standard errors in u."""
        errors, directions = self.directions
        belongs = np.abs(directions) > _ROUNDING
        with np.errstate(invalid="ignore"):
            parts = np.where(belongs, (directions * errors[:, None]) ** 2, 0.0)
        return np.where(self.informed, np.sqrt(parts.sum(0)), np.nan)
