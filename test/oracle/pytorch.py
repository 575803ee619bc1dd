"""Answers cases of pytorch.test.ts and ctc.test.ts: python3 pytorch.py CASES.json ANSWERS.json. All in double precision.

A model is recurrent layers (rnn, rnn_1, …) and a dense layer. Weights come under Recurra's paths and in its layout;
PyTorch's are their transposes, in the same order of gates (i f c o = i f g o). bias_hh stays 0, so a single bias has
the gradient of bias_ih.
"""
import json
import sys

import torch
from torch import nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    ctc_loss,
    huber_loss,
    l1_loss,
    mse_loss,
)
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def tensor(data, shape):
    return torch.tensor(data, dtype=torch.float64).reshape(shape)


LOSSES = {
    "softmaxCrossEntropy": lambda z, y: cross_entropy(z, y.long()),
    "binaryCrossEntropy": binary_cross_entropy_with_logits,
    # PyTorch's own hinge losses are others.
    "hinge": lambda z, y: torch.relu(1 - y * z).mean(),
    "meanSquaredError": mse_loss,
    "meanAbsoluteError": l1_loss,
    "huber": lambda z, y: huber_loss(z, y, delta=0.5),
}


def turned(x, lengths):
    """Each row from its own last step to its first; what is padded stays where it is."""
    steps = torch.arange(x.shape[1]).expand(x.shape[0], -1)
    at = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.gather(1, at[:, :, None].expand_as(x))


class Model(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        I, H, O, layers = (case[name] for name in ("I", "H", "O", "layers"))
        make = {"lstm": nn.LSTM, "elman": nn.RNN}[case["cell"]]
        self.rnn = make(I, H, num_layers=layers, batch_first=True)
        self.dense = nn.Linear(H, O)
        # Recurra's path → (PyTorch's parameter, whether it is the transpose)
        self.paths = {"dense/V": (self.dense.weight, True), "dense/c": (self.dense.bias, False)}
        for k in range(layers):
            name = case["names"][k]
            self.paths[f"{name}/U"] = (getattr(self.rnn, f"weight_ih_l{k}"), True)
            self.paths[f"{name}/W"] = (getattr(self.rnn, f"weight_hh_l{k}"), True)
            self.paths[f"{name}/b"] = (getattr(self.rnn, f"bias_ih_l{k}"), False)
            getattr(self.rnn, f"bias_hh_l{k}").data.zero_()
            getattr(self.rnn, f"bias_hh_l{k}").requires_grad_(False)
        self.states = ["h", "c"] if case["cell"] == "lstm" else ["h"]
        if case["trainable"]:
            for name in case["names"]:
                for state in self.states:
                    self.paths[f"{name}/initial {state}"] = (nn.Parameter(torch.zeros(H)), False)
        for path, (parameter, transposed) in self.paths.items():
            shape = parameter.shape[::-1] if transposed else parameter.shape
            value = tensor(case["weights"][path], shape)
            parameter.data.copy_(value.T if transposed else value)
        self.parameters_list = [parameter for parameter, _ in self.paths.values()]

    def initial(self, B):
        def stacked(state):
            rows = [self.paths[f"{name}/initial {state}"][0].expand(B, -1) for name in self.case["names"]]
            return torch.stack(rows)

        if not self.case["trainable"]:
            return None
        h = stacked("h")
        return (h, stacked("c")) if self.case["cell"] == "lstm" else h

    def forward(self, x, lengths):
        """Output, final states by path, and the mask of the steps that count."""
        B, T, _ = x.shape
        there = lengths if lengths is not None else torch.full((B,), T)
        if self.case["backwards"]:
            x = turned(x, there)
        if lengths is None:
            y, final = self.rnn(x, self.initial(B))
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, final = self.rnn(packed, self.initial(B))
            y, _ = pad_packed_sequence(y, batch_first=True, total_length=T)
        if self.case["backwards"]:
            y = turned(y, there)
        final = final if isinstance(final, tuple) else (final,)
        states = {
            f"{name}/{state}": final[s][k]
            for k, name in enumerate(self.case["names"])
            for s, state in enumerate(self.states)
        }
        if not self.case["sequences"]:
            return self.dense(final[0][-1]), states, torch.ones(B, dtype=torch.bool)
        return self.dense(y), states, torch.arange(T) < there[:, None]

    def loss(self, x, y, lengths):
        output, states, there = self.forward(x, lengths)
        return LOSSES[self.case["loss"]](output[there], y[there]), output, states

    def data(self, x, y):
        B, T, I, O = (self.case[name] for name in ("B", "T", "I", "O"))
        steps = [B, T] if self.case["sequences"] else [B]
        classes = self.case["loss"] == "softmaxCrossEntropy"
        return tensor(x, [B, T, I]), tensor(y, steps if classes else [*steps, O])

    def weights(self, of=lambda parameter: parameter):
        ours = lambda value, transposed: value.T if transposed else value
        return {
            path: ours(of(parameter).detach(), transposed).flatten().tolist()
            for path, (parameter, transposed) in self.paths.items()
        }


OPTIMIZERS = {
    "sgd": lambda p, o: torch.optim.SGD(p, lr=o["learningRate"], momentum=o["momentum"], nesterov=o["nesterov"]),
    "rmsprop": lambda p, o: torch.optim.RMSprop(
        p, lr=o["learningRate"], alpha=0.9, eps=1e-7, momentum=o["momentum"], centered=o["centered"]
    ),
    "adam": lambda p, o: torch.optim.Adam(p, lr=o["learningRate"], eps=1e-7),
    "adamW": lambda p, o: torch.optim.AdamW(p, lr=o["learningRate"], eps=1e-7, weight_decay=o["weightDecay"]),
}


def clip(parameters, clipping, norm):
    if "clipValue" in clipping:
        clip_grad_value_(parameters, clipping["clipValue"])
    else:
        # PyTorch scales by clip / (norm + 1e-6); with this bound it is clip / norm.
        clip_grad_norm_(parameters, clipping["clipGlobalNorm"] * (norm + 1e-6) / norm)


def gradients(case):
    model = Model(case)
    lengths = None if case["lengths"] is None else torch.tensor(case["lengths"])
    loss, output, states = model.loss(*model.data(case["x"], case["y"]), lengths)
    loss.backward()
    return {
        "loss": [loss.item()],
        "output": output.flatten().tolist(),
        **{f"final {path}": value.flatten().tolist() for path, value in states.items()},
        **{f"d {path}": value for path, value in model.weights(lambda parameter: parameter.grad).items()},
    }


def training(case):
    """Steps of a whole model: losses and norms of each, the weights after the last."""
    model = Model(case)
    parameters = model.parameters_list
    optimizer = OPTIMIZERS[case["optimizer"]](parameters, case["options"])
    losses, norms = [], []
    for x, y in zip(case["xs"], case["ys"]):
        optimizer.zero_grad()
        loss, _, _ = model.loss(*model.data(x, y), None)
        loss.backward()
        norm = clip_grad_norm_(parameters, float("inf")).item()
        clip(parameters, case["clipping"], norm)
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm)
    return {"losses": losses, "norms": norms, **model.weights()}


def ctc(case):
    """Terms of each row, and the gradient of their sum for logits [T, B, V]."""
    logits = tensor(case["logits"], [case[name] for name in ("T", "B", "V")]).requires_grad_()
    labels = torch.tensor(case["labels"]).reshape(case["B"], case["S"])
    terms = ctc_loss(
        logits.log_softmax(2),
        labels,
        torch.tensor(case["lengths"]),
        (labels >= 0).sum(1),
        blank=case["blank"],
        reduction="none",
        zero_infinity=case["zeroInfinity"],
    )
    terms.sum().backward()
    return {"terms": terms.tolist(), "d logits": logits.grad.flatten().tolist()}


KINDS = {"gradients": gradients, "training": training, "ctc": ctc}

with open(sys.argv[1]) as file:
    cases = json.load(file)
answers = [KINDS[case["kind"]](case) for case in cases]
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
