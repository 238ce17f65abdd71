"""Figures that the law or the trade has a name for, made of what rooms measure."""
