"""Writes networks as ONNX, with made-up weights, and times them: replayed as a CUDA graph, batch 1.

    python3 pytorch.py FOLDER

Reads names from standard input, a line each, and answers each with a line of JSON:

    resnet50         {"name": "resnet50", "path": "FOLDER/resnet50.onnx", "sizes": {}, "memory": {}, "f32": 1.23, "f16": 0.45}
    matmul:4096:f32  {"name": "matmul:4096:f32", "f32": 2.7}
    else             {"name": "else", "error": "..."}

Times are medians in ms, by the GPU's clock, without upload and read-back. f32 is computed without TF32. `sizes` are those
that the file leaves open, as they were timed; `memory` tells inputs that are outputs of the run before.
A file that is there already is not written again.
"""
import json
import os
import sys
import warnings

import torch

RUNS, WARM_RUNS = 60, 10
TYPES = {"f32": torch.float32, "f16": torch.float16}


class Picks(torch.nn.Module):
    """Of what a network returns, one tensor."""

    def __init__(self, network, pick):
        super().__init__()
        self.network, self.pick = network, pick

    def forward(self, *inputs):
        return self.pick(self.network(*inputs))


class Decoder(torch.nn.Module):
    """One token of a decoder: ids, then keys and values of each layer; gives logits and the longer cache."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, ids, *past):
        from transformers import DynamicCache

        cache = DynamicCache()
        for layer in range(len(past) // 2):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        out = self.network(input_ids=ids, past_key_values=cache, use_cache=True)
        return (out.logits, *[tensor for layer in out.past_key_values.layers for tensor in (layer.keys, layer.values)])


class Product(torch.nn.Module):
    def forward(self, a, b):
        return a @ b


def ids(*shape):
    return lambda dtype: [torch.randint(0, 1000, shape, device="cuda")]


def real(*shape):
    return lambda dtype: [torch.randn(*shape, device="cuda", dtype=dtype)]


def hidden(out):
    return out.last_hidden_state


IMAGE = real(1, 3, 224, 224)


def of_torchvision(name):
    import torchvision

    return getattr(torchvision.models, name)(weights=None), IMAGE


def bert(**config):
    from transformers import BertConfig, BertModel

    return Picks(BertModel(BertConfig(**config)), hidden), ids(1, 128)


def whisper_tiny_encoder():
    from transformers import WhisperConfig, WhisperModel

    sizes = {f"{part}_{key}": value for part in ("encoder", "decoder") for key, value in dict(layers=4, attention_heads=6, ffn_dim=1536).items()}
    return Picks(WhisperModel(WhisperConfig(d_model=384, **sizes)).encoder, hidden), real(1, 80, 3000)


def clip_vit_b_32():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return Picks(CLIPVisionModelWithProjection(CLIPVisionConfig()), lambda out: out.image_embeds), IMAGE


def dinov2_s():
    from transformers import Dinov2Config, Dinov2Model

    return Picks(Dinov2Model(Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=224)), hidden), IMAGE


def segformer_b0():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    return Picks(SegformerForSemanticSegmentation(SegformerConfig(num_labels=150)), lambda out: out.logits), real(1, 3, 512, 512)


def llama(layers, heads, kv_heads, width, inner, words, past=255):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
                         intermediate_size=inner, vocab_size=words, max_position_embeddings=2048)

    def inputs(dtype):
        cache = [torch.randn(1, kv_heads, past, width // heads, device="cuda", dtype=dtype) for _ in range(2 * layers)]
        return [*ids(1, 1)(dtype), *cache]

    return Decoder(LlamaForCausalLM(config)), inputs


# Each gives a network in f32, and a function from a type to its inputs.
NETWORKS = {
    **{name: (lambda name=name: of_torchvision(name)) for name in ("mobilenet_v2", "resnet50", "vit_b_16", "efficientnet_b0", "convnext_tiny")},
    "bert_base": bert,
    "minilm_l6": lambda: bert(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
    "whisper_tiny_encoder": whisper_tiny_encoder,
    "clip_vit_b_32": clip_vit_b_32,
    "dinov2_s": dinov2_s,
    "segformer_b0": segformer_b0,
    "llama_135m": lambda: llama(30, 9, 3, 576, 1536, 49152),
    "llama_1b": lambda: llama(22, 32, 4, 2048, 5632, 32000),
}


def memory_of(inputs):
    """Of a decoder: its cache, which grows along axis 2, by the names that exporters give."""
    parts = [f"{layer}.{part}" for layer in range((len(inputs) - 1) // 2) for part in ("key", "value")]
    return {f"past_key_values.{part}": f"present.{part}" for part in parts}


def export(network, inputs, path):
    memory = memory_of(inputs)
    names = dict(input_names=["input", *memory], output_names=["output", *memory.values()])
    grows = {**{name: {2: "past"} for name in memory}, **{name: {2: "total"} for name in memory.values()}}
    torch.onnx.export(network, tuple(inputs), path + ".part", opset_version=17, dynamo=False, dynamic_axes=grows, **names)
    os.replace(path + ".part", path)


def as_cuda_graph(network, inputs):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(4):
            network(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        network(*inputs)
    return graph


def median_ms(run):
    for _ in range(WARM_RUNS):
        run()
    torch.cuda.synchronize()
    times = []
    for _ in range(RUNS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[RUNS // 2]


def time_as(network, inputs):
    # The graph holds the memory that it computes in.
    graph = as_cuda_graph(network, inputs)
    return round(median_ms(graph.replay), 4)


def measure_product(name):
    _, size, dtype = name.split(":")
    inputs = [torch.randn(int(size), int(size), device="cuda", dtype=TYPES[dtype]) for _ in range(2)]
    return {dtype: time_as(Product(), inputs)}


def measure_network(name, folder):
    network, inputs = NETWORKS[name]()
    network = network.cuda().eval()
    path, example = os.path.join(folder, name + ".onnx"), inputs(torch.float32)
    if not os.path.exists(path):
        export(network, example, path)
    memory = memory_of(example)
    row = {"path": path, "sizes": {"past": example[1].shape[2]} if memory else {}, "memory": memory}
    # What a machine cannot time it can still have written.
    for label, dtype in TYPES.items():
        try:
            row[label] = time_as(network.to(dtype), inputs(dtype))
        except Exception as error:
            print(f"{name}, {label}: {error}", file=sys.stderr)
    return row


def measure(name, folder):
    if name.startswith("matmul:"):
        return measure_product(name)
    if name in NETWORKS:
        return measure_network(name, folder)
    return {"error": "there is no such network"}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # What libraries print is not an answer, be it from Python or from C++.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in iter(sys.stdin.readline, ""):
        name = line.strip()
        torch.manual_seed(0)
        try:
            row = measure(name, sys.argv[1])
        except Exception as error:
            row = {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
        torch.cuda.empty_cache()
        print(json.dumps({"name": name, **row}), file=answers, flush=True)
