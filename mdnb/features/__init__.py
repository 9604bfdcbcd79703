"""Featurizers: one kind a file, found by name; importing this package registers them."""

from mdnb.features.backbone import Backbone
from mdnb.features.base import FEATURIZERS, Column, Features, Featurizer
from mdnb.features.coordination import Coordination
from mdnb.features.custom import featurizer
from mdnb.features.distances import CAContacts, CADistances, Contacts, Distances
from mdnb.features.engine import featurize
from mdnb.features.hydrogen_bonds import HydrogenBonds
from mdnb.features.internal import InternalCoordinates
from mdnb.features.invertible import Invertible
from mdnb.features.ligand_contacts import LigandContacts
from mdnb.features.maps import ContactMap, DistanceMap
from mdnb.features.overall import RMSD, RadiusOfGyration
from mdnb.features.positions import Forces, Positions, Velocities
from mdnb.features.radial_distribution import RadialDistribution
from mdnb.features.residue_distances import ResidueDistances
from mdnb.features.sasa import SASA
from mdnb.features.secondary_structure import SecondaryStructure
from mdnb.features.torsions import Torsions
from mdnb.features.voxels import Voxels

__all__ = [
    "FEATURIZERS",
    "RMSD",
    "SASA",
    "Backbone",
    "CAContacts",
    "CADistances",
    "Column",
    "ContactMap",
    "Contacts",
    "Coordination",
    "DistanceMap",
    "Distances",
    "Features",
    "Featurizer",
    "Forces",
    "HydrogenBonds",
    "InternalCoordinates",
    "Invertible",
    "LigandContacts",
    "Positions",
    "RadialDistribution",
    "RadiusOfGyration",
    "ResidueDistances",
    "SecondaryStructure",
    "Torsions",
    "Velocities",
    "Voxels",
    "featurize",
    "featurizer",
]
