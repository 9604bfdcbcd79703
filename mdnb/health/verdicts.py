"""What is wrong with files, as findings, from what was seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.health.findings import Finding, frame_ranges
from mdnb.health.quick import quick_findings, time_findings
from mdnb.health.seen import Seen

if TYPE_CHECKING:
    import mdtraj

__all__ = ["findings_of", "shared_findings"]


def findings_of(seen: Seen, topology: mdtraj.Topology | None, bonds: np.ndarray) -> list[Finding]:
    """Return what was found in one file."""
    file, name = seen.file, seen.name
    found = [one for one in quick_findings(file, name) if not one.kind.startswith("time")]

    def add(kind: str, severity: str, what: str, advice: str, frames: Any = ()) -> None:
        found.append(Finding(name, kind, severity, what, advice, tuple(int(frame) for frame in frames)))

    if topology is not None and file.n_atoms != topology.n_atoms:
        add(
            "atom-count", "error", f"it has {file.n_atoms:,} atoms, the topology has {topology.n_atoms:,}",
            "give the topology of the atoms that were written (gmx trjconv -dump 0 with the same group)",
        )  # fmt: skip
    if seen.unreadable:
        bad = list(seen.unreadable)
        add(
            "unreadable", "error", f"{frame_ranges(bad)} cannot be read: {seen.unreadable[bad[0]]}",
            "copy the file again; gmx check -f says where it breaks, gmx trjconv -b/-e writes the parts around it",
            bad,
        )  # fmt: skip
    if not seen.numbers:
        return found
    numbers, counts = np.concatenate(seen.numbers), np.concatenate(seen.counts)
    worst, hashes = np.concatenate(seen.worst), np.concatenate(seen.hashes)
    found += time_findings(np.concatenate(seen.times), name)
    broken, far, cut, implausible = (numbers[counts[:, column] > 0] for column in range(4))
    if len(broken):
        add(
            "not-finite", "error", f"{frame_ranges(broken)} hold NaN or infinite coordinates",
            "the simulation blew up or the file is damaged: leave those frames out (gmx trjconv -b/-e)", broken,
        )  # fmt: skip
    if len(far):
        add(
            "far-away", "error", f"{frame_ranges(far)} hold atoms more than 10,000 nm from the origin",
            "the file is damaged or the unit is wrong: copy it again and compare its sha256", far,
        )  # fmt: skip
    if len(implausible):
        found.append(_bond_finding(seen, topology, bonds, numbers, implausible, worst))
    if len(cut):
        add(
            "cut-molecules", "note", f"molecules are cut by the border of the box in {frame_ranges(cut)}",
            "mdnb.load makes them whole (make_whole=True); for other programs: gmx trjconv -pbc whole -s topol.tpr",
            cut,
        )  # fmt: skip
    if 0 < len(seen.flat) < seen.boxes:  # all zeros is how some formats say that there is none
        add(
            "no-box", "warning", f"the box is zero, flat or no number in {frame_ranges(seen.flat)}",
            "nearest images are not taken there and molecules stay cut; write the box (gmx trjconv -box), or leave "
            "those frames out", seen.flat,
        )  # fmt: skip
    same = _repeats(hashes)
    if len(same):
        add(
            "duplicates", "error", f"{frame_ranges(numbers[same])} repeat earlier frames exactly",
            "frames of a restart were appended twice: split with gmx trjconv -b/-e and join with gmx trjcat",
            numbers[same],
        )  # fmt: skip
    still = seen.still
    if still is not None and len(numbers) > 2 and len(same) < len(numbers) - 1 and still.any():
        add(
            "frozen", "note", f"{int(still.sum()):,} of {len(still):,} atoms never move (first: atom "
            f"{int(np.flatnonzero(still)[0])})",
            "fine for frozen groups (freezegrps); else the file holds positions of another run there",
        )  # fmt: skip
    return found


def _bond_finding(
    seen: Seen, topology: Any, bonds: np.ndarray, numbers: np.ndarray, bad: np.ndarray, worst: np.ndarray
) -> Finding:
    """Return the finding on implausible bonds."""
    row = int(np.flatnonzero(numbers == bad[0])[0])
    i, j = bonds[int(worst[row, 0])] if worst[row, 0] >= 0 else bonds[0]
    what = (
        f"implausible bond lengths in {frame_ranges(bad)}: {topology.atom(int(i))} to {topology.atom(int(j))} is "
        f"{worst[row, 1]:.3g} nm in frame {bad[0]}"
    )
    if len(bad) > 0.9 * len(numbers) and len(numbers) > 1:
        advice = "the topology is that of another system, or its atoms stand in another order; give the right one"
        if not seen.boxes:
            advice += "; or molecules were cut by a box that the file does not hold (gmx trjconv -pbc whole)"
    else:
        advice = (
            "those frames are damaged (the format has no checksum) or the simulation blew up: compare the sha256 with "
            "the original's, copy again, or leave them out (gmx trjconv -b/-e)"
        )
    return Finding(seen.name, "bonds", "error", what, advice, tuple(bad.tolist()))


def _repeats(hashes: np.ndarray) -> np.ndarray:
    """Return where a hash stands that stood before."""
    _, first = np.unique(hashes, return_index=True)
    again = np.ones(len(hashes), bool)
    again[first] = False
    return np.flatnonzero(again)


def shared_findings(seen: Sequence[Seen]) -> list[Finding]:
    """Return which files hold frames of files before them: such frames leak from training to validation."""
    found = []
    digests: dict[str, str] = {}
    before: list[tuple[str, np.ndarray]] = []
    for part in seen:
        hashes = np.concatenate(part.hashes) if part.hashes else np.empty(0, np.uint64)
        if part.sha256 and part.sha256 in digests:
            found.append(
                Finding(
                    part.name, "same-file", "error", f"it is the same file, byte for byte, as {digests[part.sha256]}",
                    "leave one of the two out: copies on both sides of a split make a model look better than it is",
                )
            )  # fmt: skip
            continue
        digests.setdefault(part.sha256, part.name)
        for other, theirs in before:
            common = np.flatnonzero(np.isin(hashes, theirs))
            if len(common):
                numbers = np.concatenate(part.numbers)[common]
                found.append(
                    Finding(
                        part.name, "shared-frames", "warning", f"{frame_ranges(numbers)} are also in {other}",
                        "join the parts with gmx trjcat, which drops the overlap, or load them as one trajectory",
                        tuple(numbers.tolist()),
                    )
                )  # fmt: skip
        before.append((part.name, hashes))
    return found
