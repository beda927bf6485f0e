"""Compares what a subnet's files compute: TorchScript in PyTorch (if it is there), ONNX in ONNX Runtime, numbers given
beside them.

Usage: python compare.py FOLDER, where each folder inside holds one case: `case.json`, `model.onnx`, tensors as raw
numbers. Prints the largest relative difference per case and ends with status 1 if one is above the tolerance.
"""

import io
import itertools
import json
import pathlib
import sys
import types

import numpy as np
import onnx
import onnxruntime

try:
    import torch
except ImportError:
    torch = None

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def tensor(folder, entry):
    numbers = np.fromfile(folder / entry["file"], dtype=entry["type"])
    return numbers.reshape(entry["shape"])


def compile_script(folder, case):
    """The module as libtorch compiles it: `torch.x` is the operator `aten::x`, whatever Python's `torch` has."""
    module = torch.nn.Module()
    for entry in case["attributes"]:
        value = torch.from_numpy(tensor(folder, entry).copy())
        if entry["buffer"]:
            module.register_buffer(entry["identifier"], value)
        else:
            module.register_parameter(entry["identifier"], torch.nn.Parameter(value))
    script = torch.jit._recursive.create_script_module(module, lambda _: [], share_types=False)
    operators = types.ModuleType("torch")
    operators.__getattr__ = lambda name: getattr(torch.ops.aten, name)
    resolve = {"torch": operators}.get
    script._c._define(script._concrete_type, case["source"], resolve)
    saved = io.BytesIO()
    torch.jit.save(script, saved)
    saved.seek(0)
    return torch.jit.load(saved)


def run_script(folder, case, inputs):
    with torch.no_grad():
        result = compile_script(folder, case)(*[torch.from_numpy(value.copy()) for value in inputs])
    names = case["outputs"]
    if isinstance(result, torch.Tensor):
        result = {names[0]: result}
    assert list(result) == names, f"TorchScript gives {list(result)}, expected {names}"
    return [result[name].detach().numpy() for name in names]


def run_onnx(folder, case, inputs):
    file = folder / "model.onnx"
    onnx.checker.check_model(str(file), full_check=True)
    if not case["onnxruntime"]:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(file))
    else:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = dict(zip([entry["name"] for entry in case["inputs"]], inputs))
    return session.run(case["outputs"], given)


def distance(found, expected, what):
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    same = found == expected  # Infinities too.
    if same.all():
        return 0.0
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0)))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(found.astype(np.float64) - expected))
    return float(apart.max()) / scale if np.isfinite(apart).all() else float("inf")


def compare(folder):
    case = json.loads((folder / "case.json").read_text())
    inputs = [tensor(folder, entry) for entry in case["inputs"]]
    found = [("TorchScript", run_script(folder, case, inputs))] if torch else []
    if (folder / "model.onnx").exists():
        found.append(("ONNX", run_onnx(folder, case, inputs)))
    if case["expected"]:
        found.append(("the judge", [tensor(folder, entry) for entry in case["expected"]]))
    good = True
    for (one, values), (other, expected) in itertools.combinations(found, 2):
        apart = [
            (distance(a, b, f"{case['name']}, {name}"), name)
            for a, b, name in zip(values, expected, case["outputs"], strict=True)
        ]
        most, name = max(apart)
        within = most <= TOLERANCE[case["precision"]]
        good &= within
        print(f"{case['name']}: {one} and {other}: {most:.1e} at `{name}`{'' if within else ', TOO MUCH'}")
    return good


def main():
    if torch:
        torch.manual_seed(0)
    version = torch.__version__ if torch else "is absent: TorchScript is skipped"
    print(f"torch {version}, onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}")
    folders = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/case.json"))
    assert folders, "there is no case"
    results = [compare(folder) for folder in folders]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
