"""Writes NAME.json: what Hugging Face's RT-DETRv2 computes with weights of noise, beside the names of its tensors.

    python rtdetr.py            # two small networks, and the published shape of r18 on a small image
    python rtdetr.py r34 r50    # other published shapes, for a check on demand

Needs numpy, torch and transformers.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "tests" / "golden"))
from noise import noise, weight  # noqa: E402

SMALL = dict(
    encoder_hidden_dim=32, encoder_ffn_dim=48, encoder_attention_heads=4, d_model=32, decoder_in_channels=[32] * 3,
    decoder_ffn_dim=48, decoder_attention_heads=4, decoder_layers=2, num_queries=300, num_labels=5,
)  # fmt: skip
BASIC = dict(layer_type="basic", hidden_sizes=[64, 128, 256, 512])
R18 = dict(depths=[2, 2, 2, 2], **BASIC)
R34 = dict(depths=[3, 4, 6, 3], **BASIC)
R50 = dict(depths=[3, 4, 6, 3], layer_type="bottleneck", hidden_sizes=[256, 512, 1024, 2048])
# Name: backbone, the rest, size of the input as height and width.
NETWORKS = {
    "small-basic": (
        dict(embedding_size=16, depths=[1, 2, 1, 1], layer_type="basic", hidden_sizes=[16, 24, 32, 40]),
        dict(SMALL, hidden_expansion=0.5),
        (192, 160),
    ),
    "small-bottleneck": (
        dict(embedding_size=16, depths=[1, 1, 2, 1], layer_type="bottleneck", hidden_sizes=[32, 48, 64, 80]),
        dict(SMALL, hidden_expansion=1.0),
        (128, 224),
    ),
    "r18": (R18, dict(hidden_expansion=0.5, decoder_layers=3), (160, 192)),
    "r34": (R34, dict(hidden_expansion=0.5, decoder_layers=4), (160, 192)),
    "r50": (R50, dict(hidden_expansion=1.0, decoder_layers=6), (160, 192)),
}


def write(name):
    backbone, rest, (height, width) = NETWORKS[name]
    backbone = RTDetrResNetConfig(out_indices=[2, 3, 4], **backbone)
    channels = backbone.hidden_sizes[1:]
    rest = {"num_labels": 80, **rest}
    config = RTDetrV2Config(backbone_config=backbone, encoder_in_channels=channels, **rest)
    model = RTDetrV2ForObjectDetection(config).eval()
    state = model.state_dict()
    tensors = {key: list(value.shape) for key, value in state.items() if value.is_floating_point()}
    # The heads are there twice; files have them once.
    tensors = {key: shape for key, shape in tensors.items() if not key.startswith(("class_embed.", "bbox_embed."))}
    model.load_state_dict({key: torch.from_numpy(weight(key, shape)) for key, shape in tensors.items()}, strict=False)
    for module in model.modules():
        # A constant that the class keeps with the weights.
        if hasattr(module, "n_points_scale"):
            module.n_points_scale.fill_(1.0 / config.decoder_n_points)
    image = noise("input", 3 * height * width).astype(np.float32).reshape(1, 3, height, width)
    with torch.no_grad():
        output = model(torch.from_numpy(image))
    logits, boxes = output.logits[0].numpy(), output.pred_boxes[0].numpy()
    # Enough to recognise each query: all boxes, and each logit of some.
    rows = list(range(0, len(logits), 10 if logits.shape[1] > 10 else 1))
    scores = output.enc_topk_logits.max(-1).values[0]
    document = {
        "input": [height, width], "tensors": tensors,
        "boxes": np.round(boxes, 6).ravel().tolist(),
        "rows": rows, "logits": np.round(logits[rows], 5).ravel().tolist(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }  # fmt: skip
    (HERE / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    gap = (scores[:-1] - scores[1:]).min().item()
    print(name, logits.shape, "logits", logits.min(), logits.max(), "smallest gap of scores", gap, "boxes", boxes.std(0))


if __name__ == "__main__":
    for name in sys.argv[1:] or ["small-basic", "small-bottleneck", "r18"]:
        write(name)
