"""An echo state network with feedback: x(t) = tanh(W x(t−1) + F y(t−1) + U) + noise, y(t) = V [x(t); 1].

As pyESN has it by default: W uniform in ±½, scaled to the spectral radius; F and U uniform in ±1; noise uniform in
±0.0005; while it is fitted y is the series; V by the pseudoinverse after the first tenth of at most 100 steps.
"""

import json
import sys

import numpy as np

UNITS, RADIUS, NOISE = 500, 1.5, 0.001
KNOWN, FUTURE = 2000, 2000


def error(series, seed):
    draw = np.random.RandomState(seed)
    w = draw.rand(UNITS, UNITS) - 0.5
    w *= RADIUS / np.abs(np.linalg.eigvals(w)).max()
    u = draw.rand(UNITS) * 2 - 1
    f = draw.rand(UNITS) * 2 - 1

    def step(x, y):
        return np.tanh(w @ x + f * y + u) + NOISE * (draw.rand(UNITS) - 0.5)

    states = np.zeros((KNOWN, UNITS))
    for t in range(1, KNOWN):
        states[t] = step(states[t - 1], series[t - 1])
    washout = min(KNOWN // 10, 100)
    read = np.hstack([states, np.ones((KNOWN, 1))])
    v = np.linalg.pinv(read[washout:]) @ series[washout:KNOWN]
    x, y, forecast = states[-1], series[KNOWN - 1], []
    for _ in range(FUTURE):
        x = step(x, y)
        y = np.append(x, 1) @ v
        forecast.append(y)
    return np.sqrt(np.mean((np.array(forecast) - series[KNOWN:]) ** 2))


known = np.array(json.load(sys.stdin))
print(" ".join(f"{each:.4g}" for each in sorted(error(known, seed) for seed in range(1, int(sys.argv[1]) + 1))))
