"""Write models for other programs: npy, ONNX, a C99 header, a Python file."""

from fastnet.export.files import default_path, write

__all__ = ["default_path", "write"]
