"""The decoder of XTC frames, compiled by numba: bit-identical to xdrfile, and bounds-checked.

Three things make it several times faster than xdrfile's loops over bytes: a field and the flags behind it are
taken from one load of 64 bits, numbers packed into a field are parted by multiplying with the inverse of the
divisor, and whole numbers become nanometres in a second, vectorised loop over the frame. Frames whose fields
are too wide for that are decoded by `mdnb.formats.xtc_fields`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mdnb.compiled import compiled
from mdnb.formats.bits import bit_length, high_product, load_64, reversed_bytes
from mdnb.formats.xtc_fields import FIRST, LAST, MAGIC_INTS, decode_any

__all__ = ["WRONG", "Wanted", "decode_frames"]

#: What `decode_frames` says of a damaged frame.
WRONG = {
    1: "its largest coordinate is below its smallest",
    2: "the width of its differences is out of range",
    3: "it ends too soon",
    4: "it holds more atoms than it says",
    5: "its precision is not a number that a length can be divided by",
}
_TOO_WIDE = -1
_SHORT = 1995  # the mark of frames whose size takes four bytes
#: Most atoms that come behind a full field.
_GROUP = 10
_LEAST = 96  # bytes of a frame: those of its header, and four of fields
#: Widest field, in bits, that one load holds (from within its first byte) with the six flags behind it, and for
#: which a quotient by up to 24 bits is exact: v // d == v * ceil(2**64 / d) >> 64 as long as v * d <= 2**64.
_WIDEST = 40
#: ceil(2**64 / size) of each size of small differences.
_INVERSES = np.array([(2**64 - 1) // size + 1 if size else 0 for size in MAGIC_INTS.tolist()], np.uint64)
_ALL = np.uint64(2**64 - 1)
_0, _1, _2, _3, _5, _6, _7, _8 = (np.uint64(number) for number in (0, 1, 2, 3, 5, 6, 7, 8))


class Wanted(NamedTuple):
    """Which atoms of a frame are decoded, for `decode_frames`."""

    n_decoded: int
    chosen: np.ndarray | None = None
    latest: np.ndarray | None = None

    @classmethod
    def of(cls, n_atoms: int, atom_indices: np.ndarray | None) -> Wanted:
        """Return what it takes to get the chosen atoms (None for all)."""
        if atom_indices is None or np.array_equal(atom_indices, np.arange(len(atom_indices))):
            return cls(n_atoms if atom_indices is None else len(atom_indices))
        chosen = np.asarray(atom_indices, np.int64)
        latest = np.full(int(chosen.max(initial=-1)) + 1, -1)
        latest[chosen] = chosen
        return cls(len(latest), chosen, np.maximum.accumulate(latest))


@compiled(inline="always")
def _window(data, bit):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Return 64 bits of which the first 57 or more are those from `bit` on."""
    return load_64(data, bit >> _3) << (bit & _7)


@compiled(inline="always")
def _unpacked(window, n_whole, n_rest):  # type: ignore[no-untyped-def]
    """Return a field of whole bytes, the lowest first, and then of the rest of the bits."""
    swapped = reversed_bytes(window)
    whole = swapped & ((_1 << n_whole) - _1)
    return whole | ((swapped >> (_8 - n_rest)) & (((_1 << n_rest) - _1) << n_whole))


@compiled()
def _decode(data, start, n_bytes, integers, n_atoms, n_wanted, latest, rows):  # type: ignore[no-untyped-def]
    """Decode a frame's whole numbers into `rows`; return 0, what is wrong, or `_TOO_WIDE`.

    `rows` is flat, with room for ten more atoms than those wanted, as the last ones come in a group. `latest` is
    that of `decode_frames`.
    """
    low_x, low_y, low_z = integers[0], integers[1], integers[2]
    n_x, n_y, n_z = integers[3] - low_x + 1, integers[4] - low_y + 1, integers[5] - low_z + 1
    if min(n_x, n_y, n_z) < 2 or max(n_x, n_y, n_z) > 0xFFFFFF:
        return _TOO_WIDE
    size_y, size_z = np.uint64(n_y), np.uint64(n_z)
    area = np.uint64(n_x) * size_y
    if high_product(area, size_z) or (area * size_z) >> np.uint64(_WIDEST):
        return _TOO_WIDE
    n_full = bit_length(area * size_z)
    full_rest = n_full & _7
    full_whole = n_full - full_rest
    inverse_y, inverse_z = _ALL // size_y + _1, _ALL // size_z + _1
    width = integers[6]  # of a small field
    if width < FIRST or width > _WIDEST:
        return _TOO_WIDE
    n_small, size, inverse = np.uint64(width), np.uint64(MAGIC_INTS[width]), _INVERSES[width]
    half = np.int64(size >> _1)
    bit, end = np.uint64(start) * _8, np.uint64(start + n_bytes) * _8
    count = np.int64(0)  # of small differences after each full field; stays until it is told anew
    atom = np.int64(0)
    while atom < n_wanted:
        if bit >= end:
            return 3
        window = _window(data, bit)
        flags = window << n_full
        told = flags >> np.uint64(63)
        code = np.int64((flags >> np.uint64(58)) & np.uint64(31))
        third = code // 3
        small = bit + n_full + _1 + _5 * told
        count = third if told else count
        change = code - 3 * third - 1 if told else np.int64(0)
        bit = small + np.uint64(count) * n_small
        if bit > end:
            return 3
        behind = atom + 1 + count
        if behind > n_atoms:
            return 4
        steps = count
        if latest is not None:
            steps = latest[min(behind, n_wanted) - 1] - atom
            if steps >= 0:
                steps = min(count, max(steps, np.int64(1)))
        if steps >= 0:
            value = _unpacked(window, full_whole, full_rest)
            quotient = high_product(value, inverse_z)
            z = np.int64(value - quotient * size_z) + low_z
            value = high_product(quotient, inverse_y)
            y = np.int64(quotient - value * size_y) + low_y
            x = np.int64(value) + low_x
            place = np.uint64(3 * atom)
            if count:
                rest = n_small & _7
                whole = n_small - rest
                new_x, new_y, new_z = x, y, z
                # The first two atoms change places: oxygen goes before its hydrogens.
                full, jump = place + _3, _6
                for _ in range(steps):
                    value = _unpacked(_window(data, small), whole, rest)
                    small += n_small
                    quotient = high_product(value, inverse)
                    new_z += np.int64(value - quotient * size) - half
                    value = high_product(quotient, inverse)
                    new_y += np.int64(quotient - value * size) - half
                    new_x += np.int64(value) - half
                    rows[place], rows[place + _1], rows[place + _2] = new_x, new_y, new_z
                    place += jump
                    jump = _3
                place = full
            rows[place], rows[place + _1], rows[place + _2] = x, y, z
        atom = behind
        width += change
        if width < FIRST or width > _WIDEST:
            return 2 if width < FIRST or width > LAST else _TOO_WIDE
        n_small, size, inverse = np.uint64(width), np.uint64(MAGIC_INTS[width]), _INVERSES[width]
        half = np.int64(size >> _1)
    return 0


@compiled(inline="always")
def _int32(data, position):  # type: ignore[no-untyped-def]
    """Return the signed number at `position`."""
    return np.int64(np.int32(load_64(data, np.uint64(position)) >> np.uint64(32)))


@compiled()
def decode_frames(data, begins, n_atoms, n_wanted, out, boxes, chosen, latest):  # type: ignore[no-untyped-def]
    """Decode the compressed coordinates of frames; what it writes is finite.

    Parameters
    ----------
    data : (n_bytes,) uint8 array
        Parts of an XTC file; at least 16 bytes after the last one that belongs to a frame.
    begins : (n_frames + 1,) int64 array
        Where each frame begins in `data`, and where the last one ends; each has its header.
    n_atoms : int
        Of each frame, above 9.
    n_wanted : int
        Decode the first so many atoms only.
    out : (n_frames, n_out, 3) float32 array
        Gets the positions in nm, of the first `n_wanted` atoms or of the chosen ones.
    boxes : (n_frames, 9) float32 array
        Gets the box vectors in nm.
    chosen : (n_out,) int64 array
        Atoms in the order of `out`; None for all.
    latest : (n_wanted,) int64 array
        For each atom the last chosen one up to it, or -1: where a group of atoms holds none, it is passed over.
        None for all.

    Returns
    -------
    tuple of int
        The first frame that is damaged, and what is wrong with it: a key of `WRONG`, or 0.
    """
    integers = np.empty(7, np.int64)
    raw = np.empty(1, np.uint32)
    number = raw.view(np.float32)
    box_bits = boxes.view(np.uint32)
    rows = np.empty(3 * (n_wanted + _GROUP), np.int32)
    scratch = np.empty((0 if chosen is None else n_wanted, 3), np.float32)  # of the slower way
    positions = out.reshape(out.size)
    for frame in range(len(begins) - 1):
        start = begins[frame]
        if begins[frame + 1] - start < _LEAST:
            return frame, 3
        for k in range(9):
            box_bits[frame, k] = load_64(data, np.uint64(start + 16 + 4 * k)) >> np.uint64(32)
        raw[0] = np.uint32(load_64(data, np.uint64(start + 56)) >> np.uint64(32))
        precision = number[0]
        if not (precision > 0 and np.isfinite(precision)):
            return frame, 5
        inverse = np.float32(np.float64(1.0) / np.float64(precision))
        if not np.isfinite(inverse * np.float32(2.0**33)):  # beyond what differences can add up to
            return frame, 5
        for k in range(7):
            integers[k] = _int32(data, start + 60 + 4 * k)
        fields = start + 92
        if _int32(data, start) != _SHORT:  # the size takes eight bytes
            fields += 4
        n_bytes = _int32(data, fields - 4)
        if n_bytes <= 0 or fields + n_bytes > begins[frame + 1]:
            return frame, 3
        wrong = _decode(data, fields, n_bytes, integers, n_atoms, n_wanted, latest, rows)
        if wrong == _TOO_WIDE:
            wrong = decode_any(
                data, fields, n_bytes, integers, integers[6], inverse, n_atoms, n_wanted,
                out[frame] if chosen is None else scratch,
            )  # fmt: skip
            if chosen is not None:
                for k in range(len(chosen)):
                    out[frame, k] = scratch[chosen[k]]
        elif wrong == 0 and chosen is not None:
            for k in range(len(chosen)):
                place = 3 * chosen[k]
                for axis in range(3):
                    out[frame, k, axis] = np.float32(rows[place + axis]) * inverse
        elif wrong == 0:
            first = np.uint64(3 * n_wanted * frame)
            for k in range(np.uint64(3 * n_wanted)):
                positions[first + k] = np.float32(rows[k]) * inverse
        if wrong:
            return frame, wrong
    return 0, 0
