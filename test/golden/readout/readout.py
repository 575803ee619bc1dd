"""
An echo state network in NumPy, for readout.test.ts: its states over two rows of unlike length, the ridge regression of
its readout by the augmented least squares problem (no normal equations), and what it says when it runs on. In f64.

    /usr/bin/python3 test/golden/readout/readout.py && npx biome format --write test/golden/readout/readout.json
"""
import json
import pathlib

import numpy as np

draw = np.random.default_rng(20240611)
H, WASHOUT, RIDGE, LEAK, STEPS = 7, 3, 0.05, 0.7, 5
LENGTHS = [40, 25]

numbers = lambda *shape: draw.integers(-150, 151, shape) / 100
U, W, b = numbers(2, H), numbers(H, H) / 4, numbers(H)
# A drive beside what is fed back.
drive = [np.round(np.sin(np.arange(n + STEPS) / (4 + k)), 3) for k, n in enumerate(LENGTHS)]
series = [np.round(np.cos(np.arange(n) / (3 + k)) * (1 + drive[k][:n]), 3) for k, n in enumerate(LENGTHS)]


def step(h, x):
    return (1 - LEAK) * h + LEAK * np.tanh(x @ U + h @ W + b)


inputs = [np.stack([d[1:n], s[: n - 1]], 1) for d, s, n in zip(drive, series, LENGTHS)]
targets = [s[1:, None] for s in series]
states, goals = [], []
for x, y in zip(inputs, targets):
    h = np.zeros(H)
    for t, each in enumerate(x):
        h = step(h, each)
        if t >= WASHOUT:
            states.append(h)
            goals.append(y[t])
X, Y = np.array(states), np.array(goals)
augmented = np.vstack([X - X.mean(0), np.sqrt(RIDGE) * np.eye(H)])
V = np.linalg.lstsq(augmented, np.vstack([Y - Y.mean(0), np.zeros((H, 1))]), rcond=None)[0]
c = Y.mean(0) - X.mean(0) @ V

h, ahead = np.zeros(H), []
for each in inputs[0]:
    h = step(h, each)
for s in range(STEPS):
    ahead.append((h @ V + c)[0])
    h = step(h, np.array([drive[0][LENGTHS[0] + s], ahead[-1]]))

plain = lambda each: np.round(each, 10).tolist()
CASE = {
    "options": {"units": H, "leakRate": LEAK, "outputs": 1},
    "ridge": RIDGE,
    "washout": WASHOUT,
    "weights": {"U": plain(U), "W": plain(W), "b": plain(b)},
    "inputs": [plain(each) for each in inputs],
    "targets": [plain(each) for each in targets],
    "V": plain(V),
    "c": plain(c),
    "drive": plain(drive[0][LENGTHS[0] :][: STEPS - 1, None]),
    "ahead": plain(np.array(ahead)[:, None]),
}

if __name__ == "__main__":
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(CASE))
