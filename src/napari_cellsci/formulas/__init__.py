"""Formulas over latents: their grammar, and the engines that search for them."""

from __future__ import annotations

from napari_cellsci.formulas.expression import Expression, FormulaError, Outcomes, Term

__all__ = ["Expression", "FormulaError", "Outcomes", "Term"]
