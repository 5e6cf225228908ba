"""Writes checkpoint.pth: a training checkpoint as torch.save lays it out, without needing torch.

A zip archive holds a pickle, whose tensors refer to storages by persistent ids, and one file per storage.
"""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile

STORAGES = []


def stub(module, name, **attributes):
    kind = type(name, (), {"__module__": module, **attributes})
    sys.modules.setdefault(module, types.ModuleType(module))
    setattr(sys.modules[module], name, kind)
    return kind


FloatStorage = stub("torch", "FloatStorage", code="f")
LongStorage = stub("torch", "LongStorage", code="q")


def _rebuild_tensor_v2(*_):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
sys.modules["torch._utils"] = types.ModuleType("torch._utils")
sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2


class Storage:
    def __init__(self, kind, values):
        self.kind, self.values = kind, values


class Tensor:
    def __init__(self, kind, shape, values):
        self.storage, self.shape = Storage(kind, values), tuple(shape)

    def __reduce__(self):
        strides, step = [], 1
        for size in reversed(self.shape):
            strides.insert(0, step)
            step *= size
        arguments = (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())
        return _rebuild_tensor_v2, arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        STORAGES.append(value)
        return "storage", value.kind, str(len(STORAGES) - 1), "cpu", len(value.values)


def floats(*shape, start):
    count = 1
    for size in shape:
        count *= size
    return Tensor(FloatStorage, shape, [start + 0.25 * index for index in range(count)])


model = collections.OrderedDict()
model["conv.weight"] = floats(2, 1, 1, 1, start=1.0)
model["bn.weight"] = floats(2, start=2.0)
model["bn.bias"] = floats(2, start=-1.0)
model["bn.running_mean"] = floats(2, start=0.5)
model["bn.running_var"] = floats(2, start=4.0)
model["bn.num_batches_tracked"] = Tensor(LongStorage, (), [7])
optimizer = {"state": {0: {"momentum_buffer": floats(2, 1, 1, 1, start=9.0)}}, "param_groups": [{"lr": 0.01}]}

pickled = io.BytesIO()
Pickler(pickled, 2).dump({"start_epoch": 300, "model": model, "optimizer": optimizer})
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    def write(name, data):
        archive.writestr(zipfile.ZipInfo("checkpoint/" + name), data)

    write("data.pkl", pickled.getvalue())
    for index, storage in enumerate(STORAGES):
        code = storage.kind.code
        write(f"data/{index}", struct.pack(f"<{len(storage.values)}{code}", *storage.values))
    write("version", "3\n")
