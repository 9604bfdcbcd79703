"""What compiled decoders need of the processor: eight bytes at once, bytes reversed, leading zeros, wide products.

numba has no names for these; each becomes one instruction or two.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["bit_length", "high_product", "load_64", "reversed_bytes"]

#: numba's decorator; its results are called without the first argument, of which mypy is told nothing.
_compiled: Any = intrinsic

_BYTE, _WORD, _WIDE = ir.IntType(8), ir.IntType(64), ir.IntType(128)


@_compiled
def load_64(typing: Any, data: Any, byte: Any) -> Any:
    """Return the eight bytes of a uint8 array from `byte` (uint64) on as a number, the first one highest.

    Nothing is checked: the caller knows that they lie within the array.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(builder.bitcast(array.data, _BYTE.as_pointer()), [arguments[1]])
        value = builder.load(builder.bitcast(place, _WORD.as_pointer()))
        value.align = 1
        return builder.bswap(value)

    return types.uint64(data, types.uint64), generate


@_compiled
def reversed_bytes(typing: Any, value: Any) -> Any:
    """Return the eight bytes of a uint64 in the opposite order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), generate


@_compiled
def bit_length(typing: Any, value: Any) -> Any:
    """Return the number of bits of a uint64 without its leading zeros; 0 of 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sub(ir.Constant(_WORD, 64), builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0)))

    return types.uint64(types.uint64), generate


@_compiled
def high_product(typing: Any, a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the product of two uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        product = builder.mul(*(builder.zext(one, _WIDE) for one in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(_WIDE, 64)), _WORD)

    return types.uint64(types.uint64, types.uint64), generate
