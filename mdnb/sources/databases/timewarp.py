"""timewarp: small peptides with velocities and forces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["Timewarp", "TimewarpOptions"]


@dataclass(frozen=True)
class TimewarpOptions(Spec):
    """Which of the data sets the peptide is looked up in."""

    dataset: str = setting(
        "2AA-1-large", "which set: AD is the alanine dipeptide, 2AA and 4AA peptides of two and four residues",
        options=("AD-1", "AD-3", "2AA-1-big", "2AA-1-large", "2AA-1-huge", "2AA-complete", "4AA-large", "4AA-huge"),
    )  # fmt: skip
    part: str = setting("train", "which part of it; a peptide is in one of them", options=("train", "val", "test"))


class Timewarp(Database):
    """timewarp: peptides of one to four residues in implicit solvent at 310 K; nm, nm/ps, kJ/mol/nm in NPZ files.

    In most sets pairs of frames follow each other at growing intervals, so that frames are not equally spaced in time
    (a lag in ps means nothing there); 2AA-1-big and 2AA-1-large are saved at equal intervals. The array layout is
    tested on real files of the authors' repository; the addresses are as published.

    References
    ----------
    Klein et al., Timewarp, NeurIPS 36 (2023), https://doi.org/10.48550/arXiv.2302.01170
    """

    name = "timewarp"
    title = "timewarp: peptides of two to four residues"
    home = "https://huggingface.co/datasets/microsoft/timewarp"
    content = "positions, velocities, forces, energies; amber14 with OBC implicit solvent, 310 K"
    licence = "MIT"
    citation = "Klein et al., Timewarp, NeurIPS 36 (2023)"
    doi = "10.48550/arXiv.2302.01170"
    size = "up to about 0.3 GB a peptide, and as much memory"
    example = "AA"
    entry_help = "the one-letter residues, or what the files of the set are called before '-traj-arrays.npz' (ad1, ad2)"
    pattern = "[A-Za-z0-9][A-Za-z0-9_-]{0,40}"
    Options = TimewarpOptions

    def open(self, entry: str, options: TimewarpOptions, store: Store) -> Opened:
        """Return the arrays and the structure of one peptide."""
        base = f"{self.home}/resolve/main/{options.dataset}/{options.part}"
        store.folder = store.folder / f"{options.dataset}-{options.part}"
        pdb = self._one(store, base, f"{entry}-traj-state0.pdb")
        return Opened([self._one(store, base, f"{entry}-traj-arrays.npz")], pdb)

    def _one(self, store: Store, base: str, name: str) -> Path:
        if store.file is not None:  # both lie side by side
            return store.file.with_name(name)
        return store.get(Remote(f"{base}/{name}", name))
