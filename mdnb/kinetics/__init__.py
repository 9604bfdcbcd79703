"""Kinetics: timescales, tests and states of the slow modes that a network, TICA or anyone else has found."""

from mdnb.kinetics.agreement import Agreement, compare_dynamics
from mdnb.kinetics.implied import Timescales, timescales
from mdnb.kinetics.markovian import ChapmanKolmogorov, chapman_kolmogorov
from mdnb.kinetics.scan import LagScan, lag_scan
from mdnb.kinetics.states import MetastableStates, metastable_states

__all__ = [
    "Agreement", "ChapmanKolmogorov", "LagScan", "MetastableStates", "Timescales", "chapman_kolmogorov",
    "compare_dynamics", "lag_scan", "metastable_states", "timescales",
]  # fmt: skip
