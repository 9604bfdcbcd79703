"""Featurizers: one kind a file, found by name; importing this package registers them."""

from mdnb.features.base import FEATURIZERS, Column, Features, Featurizer
from mdnb.features.distances import CADistances, Contacts, Distances
from mdnb.features.engine import featurize
from mdnb.features.internal import InternalCoordinates
from mdnb.features.positions import Forces, Positions, Velocities
from mdnb.features.torsions import Torsions

__all__ = [
    "FEATURIZERS",
    "CADistances",
    "Column",
    "Contacts",
    "Distances",
    "Features",
    "Featurizer",
    "Forces",
    "InternalCoordinates",
    "Positions",
    "Torsions",
    "Velocities",
    "featurize",
]
