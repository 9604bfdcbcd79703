"""Kinetics: timescales, tests and states of the slow modes that a network, TICA or anyone else has found."""

from mdnb.kinetics.markovian import ChapmanKolmogorov, chapman_kolmogorov
from mdnb.kinetics.scan import LagScan, lag_scan
from mdnb.kinetics.implied import Timescales, timescales

__all__ = ["ChapmanKolmogorov", "LagScan", "Timescales", "chapman_kolmogorov", "lag_scan", "timescales"]
