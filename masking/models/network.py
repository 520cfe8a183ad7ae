"""Running a network by onnxruntime, on the processor, with no memory kept between calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["network", "probabilities"]


def network(model: bytes | Path, *, threads: int) -> Any:
    """An InferenceSession of a model, its bytes or its file. Raises what onnxruntime raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena keeps the largest input ever seen for ever; without it memory goes back after each call.
    options.enable_cpu_mem_arena = False
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, sess_options=options, providers=["CPUExecutionProvider"])


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax of each row: (pieces, labels) to the same shape."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
