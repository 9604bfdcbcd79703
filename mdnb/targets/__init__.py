"""What a model is trained to predict: a named property, an array, a function, or a table of measured values."""

from mdnb.targets.base import Target
from mdnb.targets.make import TARGETS, labelled, make_target
from mdnb.targets.structure import native_contacts
from mdnb.targets.tables import Table, table

__all__ = ["TARGETS", "Table", "Target", "labelled", "make_target", "native_contacts", "table"]
