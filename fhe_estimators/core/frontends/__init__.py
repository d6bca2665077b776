"""From models to ONNX, and from ONNX to graphs.

Heavy libraries are imported here only, each by one module, when it is used.
"""
