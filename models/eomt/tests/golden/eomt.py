"""Writes NAME.json: what Hugging Face's EoMT computes with weights of noise, beside the names of its tensors, and the instances
that its post-processing finds.

    python eomt.py                  # two small networks
    python eomt.py parameters       # how many parameters the published shape has

Needs numpy, scipy, torch, torchvision and transformers.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers import EomtConfig, EomtForUniversalSegmentation
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "tests" / "golden"))
from noise import noise, weight  # noqa: E402

SMALL = dict(hidden_size=128, num_attention_heads=2, patch_size=8, num_labels=5)
# Name: configuration, size of the input as height and width, sizes of images, least score of an instance.
NETWORKS = {
    # The image is larger than the input, and wider.
    "plain": (
        dict(SMALL, num_hidden_layers=3, num_blocks=2, num_queries=7, num_register_tokens=4, image_size=32, mlp_ratio=4),
        (32, 32),
        [(66, 88), (20, 15)],
    ),
    # An input that is no square and not what the positions were made for.
    "gated": (
        dict(SMALL, num_hidden_layers=2, num_blocks=1, num_queries=6, num_register_tokens=2, image_size=48, mlp_ratio=2,
             use_swiglu_ffn=True, num_upscale_blocks=1),
        (40, 64),
        [(80, 128)],
    ),
}  # fmt: skip


def tensors_of(model):
    state = {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
    values = {key: weight(key, list(value.shape)) for key, value in state.items()}
    # Annealed away in published weights.
    values["attn_mask_probs"] = np.zeros_like(values["attn_mask_probs"])
    return values


def resize_positions(model, height, width):
    """What DINOv2 does for an input of another size, and EoMT for its weights before training."""
    patch, grid = model.config.patch_size, model.grid_size
    rows, columns = height // patch, width // patch
    if (rows, columns) == tuple(grid):
        return
    old = model.embeddings.position_embeddings.weight.data
    map = old.T.reshape(1, -1, *grid)
    map = torch.nn.functional.interpolate(map, size=(rows, columns), mode="bicubic", align_corners=False)
    new = torch.nn.Embedding(rows * columns, old.shape[1])
    new.weight.data = map[0].flatten(1).T.contiguous()
    model.embeddings.position_embeddings = new
    model.embeddings.position_ids = torch.arange(rows * columns).expand((1, -1))
    model.grid_size = (rows, columns)


def bits(mask):
    return np.packbits(mask, axis=1).tobytes().hex()


def instances(output, size, input_size, threshold):
    """What Hugging Face finds in an image of a size (height, width); masks that later ones hide as well."""
    processor = EomtImageProcessorPil()
    height, width = input_size
    # It calls the height of the input the shortest edge.
    edges = {"shortest_edge": height, "longest_edge": width}
    logits = torch.nn.functional.interpolate(output.masks_queries_logits, size=(height, width), mode="bilinear")
    full = processor.unpad_image(logits, [size], edges)[0]
    found = []
    for query in range(full.shape[0]):
        # One at a time: so no mask hides another.
        one = type(output)(
            masks_queries_logits=output.masks_queries_logits[:, query : query + 1],
            class_queries_logits=output.class_queries_logits[:, query : query + 1],
        )
        result = processor.post_process_instance_segmentation(one, [size], threshold=threshold, size=edges)[0]
        for segment in result["segments_info"]:
            mask = (result["segmentation"] == segment["id"]).numpy()
            near = (full[query].sigmoid() - 0.5).abs() < 1e-4
            found.append({
                "query": query, "class": segment["label_id"], "score": segment["score"],
                "mask": bits(mask), "near": int(near.sum()),
            })  # fmt: skip
    together = processor.post_process_instance_segmentation(output, [size], threshold=threshold, size=edges)[0]
    assert [(s["label_id"], s["score"]) for s in together["segments_info"]] == [(f["class"], f["score"]) for f in found]
    return found


def write(name):
    config, (height, width), sizes = NETWORKS[name]
    model = EomtForUniversalSegmentation(EomtConfig(**config)).eval()
    values = tensors_of(model)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in values.items()}, strict=True)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    resize_positions(model, height, width)
    image = noise("input", 3 * height * width).astype(np.float32).reshape(1, 3, height, width)
    with torch.no_grad():
        output = model(torch.from_numpy(image))
        # What is compared is what is written.
        output.class_queries_logits = torch.round(output.class_queries_logits, decimals=4)
        output.masks_queries_logits = torch.round(output.masks_queries_logits, decimals=3)
        images = []
        for size in sizes:
            probabilities = output.class_queries_logits.softmax(-1)[..., :-1].max(-1).values[0]
            threshold = round(float(probabilities.median()) * 0.75, 3)
            found = instances(output, size, (height, width), threshold)
            images.append({"size": size, "threshold": threshold, "instances": found})
    classes, masks = output.class_queries_logits[0].numpy(), output.masks_queries_logits[0].numpy()
    document = {
        "input": [height, width], "tensors": {key: list(value.shape) for key, value in values.items()},
        "classes": np.round(classes.astype(float), 4).ravel().tolist(),
        "masks": np.round(masks.astype(float), 3).ravel().tolist(), "map": list(masks.shape[1:]),
        "images": images, "parameters": parameters,
    }  # fmt: skip
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(name, path.stat().st_size, "classes", classes.shape, classes.std(), "masks", masks.shape, masks.min(), masks.max())
    for image in images:
        print(image["size"], image["threshold"], [(f["query"], f["class"], f["score"], f["near"]) for f in image["instances"]])


def count():
    for size in (640, 1280):
        with torch.device("meta"):
            model = EomtForUniversalSegmentation(EomtConfig(image_size=size, num_labels=80))
        print(size, sum(parameter.numel() for parameter in model.parameters()))


if sys.argv[1:] == ["parameters"]:
    count()
else:
    for name in sys.argv[1:] or NETWORKS:
        write(name)
