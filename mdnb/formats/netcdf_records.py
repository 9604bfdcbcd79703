"""Classic NetCDF whose last records may be cut off, as in the file of a running simulation."""

from __future__ import annotations

from typing import Any

from scipy.io import netcdf_file

__all__ = ["WholeRecords"]


class WholeRecords(netcdf_file):
    """scipy's reader, for the records that the file holds to the end instead of those that its header claims.

    scipy alone refuses a file that is shorter than its header says, and one that is written as a stream.

    Attributes
    ----------
    claimed : int
        Records according to the header; -1 while the file is written as a stream.
    whole : int
        Records that are there.
    """

    def _read_numrecs(self) -> None:
        super()._read_numrecs()
        # Set past scipy, which takes any attribute for one of the file's.
        self.__dict__.update(claimed=self._recs, _begin=None, _size=0)

    def _read_var(self) -> Any:
        found = super()._read_var()
        shape, begin, size = found[2], found[7], found[8]
        if shape and shape[0] is None:  # a variable of records: they lie one after another from the first one on
            first = begin if self._begin is None else min(self._begin, begin)
            self.__dict__.update(_begin=first, _size=self._size + size)
            there = max(0, len(self._mm_buf) - first) // max(self._size, 1)
            self.__dict__["_recs"] = there if self.claimed == -1 else min(self.claimed, there)
        return found

    @property
    def whole(self) -> int:
        """Records that are there."""
        return int(self._recs)
