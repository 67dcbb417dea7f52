"""Write models for other programs: npy, ONNX, a C99 header, a Python file, an ES module."""

from fastnet.export.about import about, rows_of
from fastnet.export.files import default_path, stem_of, write

__all__ = ["about", "default_path", "rows_of", "stem_of", "write"]
