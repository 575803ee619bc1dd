"""Answers cases of cells.test.ts: python3 cells.py CASES.json ANSWERS.json. All in double precision.

A case holds a model's layers as Recurra describes them, its weights by path in Recurra's layout, and a batch. PyTorch's
own recurrent modules run wherever they have the cell; the rest are loops of tensor operations. Weights stay in Recurra's
layout as leaves: PyTorch's are computed from them, so gradients arrive in it.
"""
import json
import sys

import torch
from torch import nn
from torch.nn.functional import cross_entropy, layer_norm, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    # The gradient of PyTorch's own has its 1/6 in single precision.
    "hardSigmoid": lambda x: (x / 6 + 0.5).clamp(0, 1),
    "softmax": lambda x: torch.softmax(x, -1),
}
STATES = {"lstm": ["h", "c"], "jordan": ["o"]}
MERGES = {
    "concat": lambda a, b: torch.cat([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


class Part:
    """One cell of a layer: the layer's own, a direction's, a level's."""

    def __init__(self, weights, cell, prefix, initial):
        self.weights, self.prefix, self.initial = weights, prefix, initial
        self.kind, self.options = cell["name"], cell["options"]
        self.states = STATES.get(self.kind, ["h"])

    def __getitem__(self, name):
        if name in ("b", "c") and not self.options["useBias"]:
            return torch.zeros(1)
        return self.weights[self.prefix + name]

    def begin(self, state, B):
        carried = self.weights.get(f"state {self.prefix}{state}")
        if carried is not None:
            return carried
        size = self.options["outputs" if state == "o" else "units"]
        return self.weights.get(self.initial + state, torch.zeros(size)).expand(B, -1)

    def module(self):
        """PyTorch's class for this cell, if it has one."""
        activations = (self.options["activation"], self.options.get("recurrentActivation"))
        if self.kind == "elman" and activations[0] in ("tanh", "relu"):
            return lambda *sizes, **more: nn.RNN(*sizes, nonlinearity=activations[0], **more)
        if activations != ("tanh", "sigmoid"):
            return None
        return {"lstm": nn.LSTM, "gru": nn.GRU if self.options.get("resetAfter") else None}.get(self.kind)

    def flat(self):
        """W_ih, W_hh, b_ih, b_hh as PyTorch has them: transposed, a GRU's gates in the order r z n."""
        H = self.options["units"]
        order = (1, 0, 2) if self.kind == "gru" else range(self["U"].shape[1] // H)
        blocks = lambda w: torch.cat([w[..., k * H : (k + 1) * H] for k in order], -1)
        width = self["U"].shape[1]
        b = self["b"].expand(2, width) if self.kind == "gru" else (self["b"] / 2).expand(2, width)
        return [blocks(self["U"]).T, blocks(self["W"]).T, blocks(b[0]), blocks(b[1])]

    def step(self, x, state):
        """Output and next states of the cells that PyTorch does not have."""
        phi, gate = (ACTIVATIONS.get(self.options.get(name)) for name in ("activation", "recurrentActivation"))
        U, W, b = self["U"], self["W"], self["b"]
        if self.kind == "elman":
            h = phi(x @ U + state[0] @ W + b)
            return h, [h]
        if self.kind == "jordan":
            o = phi(x @ U + state[0] @ W + b) @ self["V"] + self["c"]
            return o, [o]
        H = self.options["units"]
        if self.kind == "gru":
            h, after = state[0], self.options["resetAfter"]
            b, own = b.expand(2, -1) if after else (b, torch.zeros(1))
            xz, xr, xh = (x @ U + b).split(H, -1)
            Wz, Wr, Wh = W.split(H, -1)
            bz, br, bh = own.expand(3 * H).split(H)
            z, r = gate(xz + h @ Wz + bz), gate(xr + h @ Wr + br)
            recalled = r * (h @ Wh + bh) if after else (r * h) @ Wh
            h = z * h + (1 - z) * phi(xh + recalled)
            return h, [h]
        i, f, g, o = (x @ U + state[0] @ W + b).split(H, -1)
        c = gate(f) * state[1] + gate(i) * phi(g)
        h = gate(o) * phi(c)
        return h, [h, c]


def turned(x, lengths):
    """Each row from its own last step to its first; what is padded stays where it is."""
    steps = torch.arange(x.shape[1]).expand(x.shape[0], -1)
    at = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.gather(1, at[:, :, None].expand_as(x))


def by_module(make, parts, directions, x, lengths, batch_first=True, pack=True, enforce_sorted=False):
    """Outputs [B, T, …] and, for each part, its final states."""
    H, L = parts[0].options["units"], len(parts) // directions
    module = make(x.shape[2], H, num_layers=L, bidirectional=directions == 2, batch_first=batch_first)
    module._flat_weights = [weight for part in parts for weight in part.flat()]
    begin = [torch.stack([part.begin(state, len(x)) for part in parts]) for state in parts[0].states]
    begin = tuple(begin) if len(begin) > 1 else begin[0]
    T = x.shape[1]
    if not batch_first:
        x = x.transpose(0, 1)
    if pack:
        y, final = module(pack_padded_sequence(x, lengths, batch_first, enforce_sorted), begin)
        y, _ = pad_packed_sequence(y, batch_first, total_length=T)
    else:
        y, final = module(x, begin)
    final = final if isinstance(final, tuple) else (final,)
    return y if batch_first else y.transpose(0, 1), [[state[k] for state in final] for k in range(len(parts))]


def by_loop(part, x, lengths):
    state = [part.begin(name, len(x)) for name in part.states]
    outputs = []
    for t in range(x.shape[1]):
        alive = (t < lengths)[:, None]
        y, after = part.step(x[:, t], state)
        state = [torch.where(alive, new, old) for new, old in zip(after, state)]
        outputs.append(torch.where(alive, y, torch.zeros(())))
    return torch.stack(outputs, 1), [state]


def one_way(parts, backwards, x, lengths):
    """Parts on each other, in either direction; what step t puts out stands at t."""
    if backwards:
        x = turned(x, lengths)
    alike = all((part.kind, part.options) == (parts[0].kind, parts[0].options) for part in parts)
    finals = []
    for stack in [parts] if alike else [[part] for part in parts]:
        make = stack[0].module()
        runs = [lambda x: by_module(make, stack, 1, x, lengths)]
        if make is None:
            runs = [lambda x, part=part: by_loop(part, x, lengths) for part in stack]
        for run in runs:
            x, final = run(x)
            finals += final
    return turned(x, lengths) if backwards else x, finals


class Model:
    def __init__(self, case):
        self.case = case
        leaf = lambda given: torch.tensor(given["data"]).reshape(given["shape"]).requires_grad_()
        self.weights = {path: leaf(given) for path, given in case["leaves"].items()}
        self.finals = {}

    def parts(self, name, layer):
        """The cells of a layer in PyTorch's order, each with its weights."""
        if layer["kind"] == "bidirectional":
            ways = [(layer[way]["cell"], f"{name}/{way} ") for way in ("forward", "backward")]
            return [Part(self.weights, cell, own, f"{own}initial ") for cell, own in ways]
        cells = layer["cell"]["options"].get("cells")
        owns = [(layer["cell"], "")] if cells is None else [(cell, f"{k} ") for k, cell in enumerate(cells)]
        return [Part(self.weights, cell, f"{name}/{own}", f"{name}/initial {own}") for cell, own in owns]

    def finish(self, parts, finals):
        for part, final in zip(parts, finals):
            self.finals.update({f"final {part.prefix}{state}": value for state, value in zip(part.states, final)})

    def whole(self, x, lengths, how):
        """All layers as one of PyTorch's modules."""
        layers = [self.parts(each["name"], each["layer"]) for each in self.case["layers"]]
        parts, directions = [part for layer in layers for part in layer], len(layers[0])
        y, finals = by_module(parts[0].module(), parts, directions, x, lengths, **how)
        self.finish(parts, finals)
        sequences = self.case["sequences"]
        return y if sequences else torch.cat([final[0] for final in finals[-directions:]], -1), sequences

    def recurrent(self, name, layer, x, lengths):
        """Outputs, of all steps or the last one, and whether of all."""
        parts = self.parts(name, layer)
        if layer["kind"] == "bidirectional":
            options, make = layer["forward"]["options"], parts[0].module()
            if make is None:
                ways = [one_way([part], k == 1, x, lengths) for k, part in enumerate(parts)]
                halves, finals = [y for y, _ in ways], [final for _, [final] in ways]
            else:
                y, finals = by_module(make, parts, 2, x, lengths)
                halves = y.chunk(2, -1)
            merge = MERGES[layer["options"]["mergeMode"]]
            y, last = merge(*halves), merge(*(final[0] for final in finals))
        else:
            options = layer["options"]
            y, finals = one_way(parts, options["goBackwards"], x, lengths)
            last = finals[-1][0]
        self.finish(parts, finals)
        # The first state of all these cells is their output.
        return y if options["returnSequences"] else last, options["returnSequences"]

    def forward(self, x, lengths):
        if "module" in self.case:
            return self.whole(x, lengths, self.case["module"])
        sequence = True
        for each in self.case["layers"]:
            name, layer = each["name"], each["layer"]
            options, weight = layer["options"], lambda key: self.weights.get(f"{name}/{key}")
            if layer["kind"] == "embedding":
                x = weight("E")[x.long()]
            elif layer["kind"] == "layerNorm":
                x = layer_norm(x, x.shape[-1:], weight("g"), weight("b"), options["epsilon"])
            elif layer["kind"] == "dense":
                V = self.weights[f"{options['tiedTo']}/E"].T if "tiedTo" in options else weight("V")
                x = ACTIVATIONS[options["activation"]](x @ V + (weight("c") if options["useBias"] else 0))
            else:
                x, sequence = self.recurrent(name, layer, x, lengths)
        return x, sequence


def answer(case):
    model = Model(case)
    B, T = case["B"], case["T"]
    lengths = torch.tensor(case["lengths"] if case["lengths"] is not None else [T] * B)
    x = torch.tensor(case["x"]).reshape(B, T, *case["inputs"])
    leaves = {**model.weights, **({"x": x.requires_grad_()} if x.is_floating_point() else {})}
    output, sequence = model.forward(x, lengths)
    there = torch.arange(T) < lengths[:, None] if sequence else torch.ones(B, dtype=torch.bool)
    if case["loss"] == "softmaxCrossEntropy":
        loss = cross_entropy(output[there], torch.tensor(case["y"]).reshape(there.shape)[there])
    else:
        loss = mse_loss(output[there], torch.tensor(case["y"]).reshape(output.shape)[there])
    loss.backward()
    return {
        "loss": [loss.item()],
        "output": output.flatten().tolist(),
        **{path: value.flatten().tolist() for path, value in model.finals.items()},
        **{f"d {path}": leaf.grad.flatten().tolist() for path, leaf in leaves.items()},
    }


with open(sys.argv[1]) as file:
    cases = json.load(file)
answers = [answer(case) for case in cases]
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
