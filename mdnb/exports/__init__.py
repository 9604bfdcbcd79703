"""Trained models for other programs: PLUMED and ONNX."""

from mdnb.exports.writing import FORMATS, export

__all__ = ["FORMATS", "export"]
