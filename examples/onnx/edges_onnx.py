#!/usr/bin/env python3
"""Writes edges.onnx, the model that src/main.rs runs. Needs the packages onnx and numpy."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

kernel = np.zeros((3, 1, 3, 3), np.float32)
kernel[:] = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
nodes = [
    helper.make_node("Conv", ["picture", "kernel"], ["differences"], group=3),
    helper.make_node("Relu", ["differences"], ["rectified"]),
    helper.make_node("Cast", ["rectified"], ["exact"], to=TensorProto.DOUBLE),
    helper.make_node("ReduceSum", ["exact", "axes"], ["edges"], keepdims=0),
]
graph = helper.make_graph(
    nodes,
    "edges",
    [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, None, None])],
    [helper.make_tensor_value_info("edges", TensorProto.DOUBLE, [3])],
    [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(np.array([0, 2, 3], np.int64), "axes")],
)
# Old versions of both, so that old runtimes read it.
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="")
onnx.checker.check_model(model)
onnx.save(model, pathlib.Path(__file__).with_name("edges.onnx"))
