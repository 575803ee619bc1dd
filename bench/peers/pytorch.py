"""PyTorch's side of the benchmark: the workload of workload.mjs, driven by lines.

Started with CELL T B I H THREADS as arguments; the cell `sgemm` is a product of two H×H matrices instead. Writes one
line of JSON, {"torch", "blas", "threads"}; then for every line "run N" on its input trains N steps and answers
{"ms", "cpuMs", "loss"}, milliseconds a step on the wall and of the processor. Ends with its input.
"""

import json
import sys
import time

import torch
from torch import nn

CLASSES = 10


def mapped_blas():
    """Files with "blas" in their names that this process has loaded (Linux; elsewhere nothing)."""
    try:
        with open("/proc/self/maps") as maps:
            return sorted({line.split()[-1] for line in maps if "blas" in line.lower().rsplit("/", 1)[-1]})
    except OSError:
        return []


class MinimalGated(nn.Module):
    """One step of the minimal gated unit, as a user writes it."""

    def __init__(self, inputs, units):
        super().__init__()
        self.Uf, self.Wf = nn.Linear(inputs, units), nn.Linear(units, units, bias=False)
        self.Uh, self.Wh = nn.Linear(inputs, units), nn.Linear(units, units, bias=False)

    def forward(self, x, state):
        (h,) = state
        f = torch.sigmoid(self.Uf(x) + self.Wf(h))
        candidate = torch.tanh(self.Uh(x) + self.Wh(f * h))
        h = h + f * (candidate - h)
        return h, (h,)


class LayerNormLSTM(nn.Module):
    """One step of the LSTM with layer normalization; the norm of the inputs' sum holds the bias of the gates."""

    def __init__(self, inputs, units):
        super().__init__()
        self.U, self.W = nn.Linear(inputs, 4 * units, bias=False), nn.Linear(units, 4 * units, bias=False)
        self.of_x, self.of_h, self.of_c = (nn.LayerNorm(size) for size in (4 * units, 4 * units, units))

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.of_x(self.U(x)) + self.of_h(self.W(h))).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.of_c(c))
        return h, (h, c)


class Loop(nn.Module):
    """A cell of one's own over all steps."""

    def __init__(self, cell, units, states):
        super().__init__()
        self.cell, self.units, self.states = cell, units, states

    def forward(self, x):
        state = (x.new_zeros(x.shape[0], self.units),) * self.states
        for step in x.unbind(1):
            h, state = self.cell(step, state)
        return h


class Last(nn.Module):
    """The last output of one of PyTorch's own layers."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


CELLS = {
    "lstm": lambda I, H: Last(nn.LSTM(I, H, batch_first=True)),
    "gru": lambda I, H: Last(nn.GRU(I, H, batch_first=True)),
    "elman": lambda I, H: Last(nn.RNN(I, H, batch_first=True)),
    "minimalGated": lambda I, H: Loop(MinimalGated(I, H), H, 1),
    "layerNormLstm": lambda I, H: Loop(LayerNormLSTM(I, H), H, 2),
}


def training(cell, T, B, I, H):
    """The step of workload.mjs."""
    model = nn.Sequential(CELLS[cell](I, H), nn.Linear(H, CLASSES))
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    x = torch.rand(B, T, I) * 2 - 1
    labels = torch.randint(0, CLASSES, (B,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss

    return step


def sgemm(n):
    """One product of two n×n matrices."""
    a, b, out = torch.rand(n, n), torch.rand(n, n), torch.empty(n, n)
    return lambda: torch.mm(a, b, out=out)[0, 0]


def main():
    cell, (T, B, I, H, threads) = sys.argv[1], map(int, sys.argv[2:7])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    step = sgemm(H) if cell == "sgemm" else training(cell, T, B, I, H)

    def answer(value):
        print(json.dumps(value), flush=True)

    answer({"torch": torch.__version__, "blas": mapped_blas(), "threads": torch.get_num_threads()})
    for line in sys.stdin:
        n = int(line.removeprefix("run "))
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(n):
            loss = step()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        answer({"ms": wall / n * 1e3, "cpuMs": cpu / n * 1e3, "loss": loss.item()})


main()
