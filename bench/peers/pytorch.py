"""PyTorch's side of the benchmark: the workload of workload.mjs, driven by lines.

Started with T B I H as arguments. Writes one line of JSON, {"torch", "blas", "threads"}; then for every line
"run N" on its input trains N steps and answers {"ms", "cpuMs", "loss"}, milliseconds a step on the wall and
of the processor. Ends with its input.
"""

import json
import sys
import time

import torch

CLASSES = 10


def mapped_blas():
    """Files with "blas" in their names that this process has loaded (Linux; elsewhere nothing)."""
    try:
        with open("/proc/self/maps") as maps:
            return sorted({line.split()[-1] for line in maps if "blas" in line.lower().rsplit("/", 1)[-1]})
    except OSError:
        return []


class Classifier(torch.nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.lstm = torch.nn.LSTM(inputs, units, batch_first=True)
        self.dense = torch.nn.Linear(units, CLASSES)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.dense(outputs[:, -1])


def main():
    T, B, I, H = map(int, sys.argv[1:5])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = Classifier(I, H)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    x = torch.rand(B, T, I) * 2 - 1
    labels = torch.randint(0, CLASSES, (B,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss

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
