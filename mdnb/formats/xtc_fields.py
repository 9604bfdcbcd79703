"""The fields of an XTC frame, and its decoder for any widths of them; compiled by numba, bounds-checked.

The format is that of GROMACS' ``xdr3dfcoord``: coordinates are whole numbers of 1/precision nm, written
as bit fields of varying width; successive close atoms as small differences. The frames of nearly all files
have narrow fields and are decoded by `mdnb.formats.xtc_decoder`, which comes here for the others.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.formats.bits import load_64, reversed_bytes

__all__ = ["FIRST", "LAST", "MAGIC_INTS", "decode_any"]

# fmt: off
MAGIC_INTS = np.array([
    0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 101, 128, 161, 203, 256, 322, 406, 512, 645,
    812, 1024, 1290, 1625, 2048, 2580, 3250, 4096, 5060, 6501, 8192, 10321, 13003, 16384, 20642, 26007, 32768, 41285,
    52015, 65536, 82570, 104031, 131072, 165140, 208063, 262144, 330280, 416127, 524287, 660561, 832255, 1048576,
    1321122, 1664510, 2097152, 2642245, 3329021, 4194304, 5284491, 6658042, 8388607, 10568983, 13316085, 16777216,
], np.int64)
# fmt: on
#: The narrowest and the widest small differences.
FIRST = 9
LAST = len(MAGIC_INTS) - 1


@compiled(inline="always")
def _window(data, bit):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Return the 64 bits from `bit` on, the first one highest; `data` has 16 bytes to spare at its end."""
    byte = np.uint64(bit >> np.uint64(3))
    offset = np.uint64(bit & np.uint64(7))
    return (load_64(data, byte) << offset) | (np.uint64(data[byte + np.uint64(8)]) >> (np.uint64(8) - offset))


@compiled(inline="always")
def _bits(data, bit, n_bits):  # type: ignore[no-untyped-def]
    """Return a field of 1 to 32 bits."""
    return _window(data, bit) >> (np.uint64(64) - n_bits)


@compiled(inline="always")
def _packed(data, bit, n_bits):  # type: ignore[no-untyped-def]
    """Return a packed field of 1 to 64 bits: bytes with the lowest first, the last one partly filled."""
    rest = n_bits & np.uint64(7)
    whole = n_bits - rest
    window = _window(data, bit)
    value = np.uint64(0)
    if whole:
        swapped = reversed_bytes(window)
        value = swapped if whole == np.uint64(64) else swapped & ((np.uint64(1) << whole) - np.uint64(1))
    if rest:
        top = (window << whole) >> (np.uint64(64) - rest)
        value |= top << whole
    return value


@compiled()
def _long_packed(data, bit, n_bits, s1, s2, out):  # type: ignore[no-untyped-def]
    """Unpack three numbers from a field of 65 to 72 bits, by long division over its bytes."""
    digits = np.zeros(9, np.uint64)
    n_bytes = 0
    while n_bits > np.uint64(8):
        digits[n_bytes] = _bits(data, bit, np.uint64(8))
        bit += np.uint64(8)
        n_bits -= np.uint64(8)
        n_bytes += 1
    digits[n_bytes] = _bits(data, bit, n_bits)
    n_bytes += 1
    for number, size in ((2, s2), (1, s1)):
        rest = np.uint64(0)
        for j in range(n_bytes - 1, -1, -1):
            rest = (rest << np.uint64(8)) | digits[j]
            quotient = rest // size
            digits[j] = quotient
            rest -= quotient * size
        out[number] = np.int64(rest)
    out[0] = np.int64(
        digits[0] | (digits[1] << np.uint64(8)) | (digits[2] << np.uint64(16)) | (digits[3] << np.uint64(24))
    )


@compiled()
def _n_bits(size):  # type: ignore[no-untyped-def]
    """Return the bits that numbers below `size` need, as xdrfile counts them."""
    n_bits = 0
    while size >= (np.int64(1) << n_bits) and n_bits < 32:
        n_bits += 1
    return n_bits


@compiled()
def _n_bits_of_three(sizes):  # type: ignore[no-untyped-def]
    """Return the bits that the product of three sizes needs, byte by byte as xdrfile counts them."""
    digits = np.zeros(16, np.int64)
    digits[0] = 1
    n_bytes = 1
    for k in range(3):
        carry = np.int64(0)
        j = 0
        while j < n_bytes:
            carry += digits[j] * sizes[k]
            digits[j] = carry & 0xFF
            carry >>= 8
            j += 1
        while carry != 0:
            digits[j] = carry & 0xFF
            carry >>= 8
            j += 1
        n_bytes = j
    n_bytes -= 1
    n_bits = 0
    power = np.int64(1)
    while digits[n_bytes] >= power:
        n_bits += 1
        power *= 2
    return n_bits + n_bytes * 8


@compiled()
def decode_any(data, start, n_bytes, integers, smallidx, inverse, n_atoms, n_wanted, out):  # type: ignore[no-untyped-def]
    """Decode one frame's coordinates, whatever its fields, into `out` (n_wanted, 3); return 0, or what is wrong."""
    low = integers[:3]
    sizes = np.empty(3, np.int64)
    wide = False
    for k in range(3):
        sizes[k] = integers[3 + k] - low[k] + 1
        if sizes[k] <= 0 or sizes[k] > 0xFFFFFFFF:
            return 1
        if sizes[k] > 0xFFFFFF:
            wide = True
    n_wide = np.zeros(3, np.uint64)
    n_full = np.uint64(0)
    if wide:
        for k in range(3):
            n_wide[k] = np.uint64(_n_bits(sizes[k]))
    else:
        n_full = np.uint64(_n_bits_of_three(sizes))
    if smallidx < FIRST or smallidx > LAST:
        return 2
    s1, s2 = np.uint64(sizes[1]), np.uint64(sizes[2])
    smaller = MAGIC_INTS[max(FIRST, smallidx - 1)] // 2
    small = MAGIC_INTS[smallidx] // 2
    size_small = np.uint64(MAGIC_INTS[smallidx])
    bit, end = np.uint64(start) * np.uint64(8), np.uint64(start + n_bytes) * np.uint64(8)
    three = np.zeros(3, np.int64)
    run = np.int64(0)
    atom = 0
    while atom < n_wanted:
        if bit >= end:
            return 3
        if wide:
            x = np.int64(_bits(data, bit, n_wide[0]))
            bit += n_wide[0]
            y = np.int64(_bits(data, min(bit, end), n_wide[1]))
            bit += n_wide[1]
            z = np.int64(_bits(data, min(bit, end), n_wide[2]))
            bit += n_wide[2]
        elif n_full <= np.uint64(64):
            value = _packed(data, bit, n_full)
            quotient = value // s2
            z = np.int64(value - quotient * s2)
            value = quotient // s1
            y = np.int64(quotient - value * s1)
            x = np.int64(value & np.uint64(0xFFFFFFFF))
            bit += n_full
        else:
            _long_packed(data, bit, n_full, s1, s2, three)
            x, y, z = three[0], three[1], three[2]
            bit += n_full
        x += low[0]
        y += low[1]
        z += low[2]
        if bit >= end:
            return 3
        head = _window(data, bit)
        change = np.int64(0)
        if head >> np.uint64(63):
            run = np.int64((head >> np.uint64(58)) & np.uint64(31))
            bit += np.uint64(6)
            change = run % 3
            run -= change
            change -= 1
        else:
            bit += np.uint64(1)
        if run > 0:
            if atom + 1 + run // 3 > n_atoms:
                return 4
            n_small = np.uint64(smallidx)
            last_x, last_y, last_z = x, y, z
            for k in range(0, run, 3):
                if bit >= end:
                    return 3
                if n_small <= np.uint64(32):
                    narrow = np.uint32(_packed(data, bit, n_small))
                    divisor = np.uint32(size_small)
                    first = np.uint32(narrow // divisor)
                    dz = np.int64(np.uint32(narrow - first * divisor))
                    second = np.uint32(first // divisor)
                    dy = np.int64(np.uint32(first - second * divisor))
                    dx = np.int64(second)
                elif n_small <= np.uint64(64):
                    value = _packed(data, bit, n_small)
                    quotient = value // size_small
                    dz = np.int64(value - quotient * size_small)
                    value = quotient // size_small
                    dy = np.int64(quotient - value * size_small)
                    dx = np.int64(value & np.uint64(0xFFFFFFFF))
                else:
                    _long_packed(data, bit, n_small, size_small, size_small, three)
                    dx, dy, dz = three[0], three[1], three[2]
                bit += n_small
                new_x, new_y, new_z = dx + last_x - small, dy + last_y - small, dz + last_z - small
                if atom < n_wanted:
                    out[atom, 0] = np.float32(new_x) * inverse
                    out[atom, 1] = np.float32(new_y) * inverse
                    out[atom, 2] = np.float32(new_z) * inverse
                atom += 1
                if k == 0:  # the first two atoms change places: oxygen goes before its hydrogens
                    if atom < n_wanted:
                        out[atom, 0] = np.float32(last_x) * inverse
                        out[atom, 1] = np.float32(last_y) * inverse
                        out[atom, 2] = np.float32(last_z) * inverse
                    atom += 1
                last_x, last_y, last_z = new_x, new_y, new_z
        else:
            out[atom, 0] = np.float32(x) * inverse
            out[atom, 1] = np.float32(y) * inverse
            out[atom, 2] = np.float32(z) * inverse
            atom += 1
        smallidx += change
        if smallidx < FIRST or smallidx > LAST:
            return 2
        if change < 0:
            small = smaller
            smaller = MAGIC_INTS[smallidx - 1] // 2 if smallidx > FIRST else 0
        elif change > 0:
            smaller = small
            small = MAGIC_INTS[smallidx] // 2
        size_small = np.uint64(MAGIC_INTS[smallidx])
    if bit > end:
        return 3
    return 0
