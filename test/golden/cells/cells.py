"""
Cells in NumPy, from the equations of their papers, for cells.test.ts: every number of a case, in f64.

    /usr/bin/python3 test/golden/cells/cells.py && npx biome format --write test/golden/cells/cells.json
"""
import json
import pathlib

import numpy as np

T, B, I, H = 7, 3, 3, 4
draw = np.random.default_rng(20230914)


def numbers(*shape):
    return draw.integers(-150, 151, shape) / 100


def sigma(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def norm(a, epsilon):
    """Of one row."""
    return (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + epsilon)


def gates(a, count):
    return np.split(a, count)


# Every step takes one row: x, its states, the weights, the options; it gives the output and the next states.


def peephole(x, s, w, o):
    i, f, g, out = gates(x @ w["U"] + s["h"] @ w["W"] + w["b"], 4)
    pi, pf, po = gates(w["P"], 3)
    c = sigma(f + pf * s["c"]) * s["c"] + sigma(i + pi * s["c"]) * np.tanh(g)
    h = sigma(out + po * c) * np.tanh(c)
    return h, {"h": h, "c": c}


def coupled(x, s, w, o):
    f, g, out = gates(x @ w["U"] + s["h"] @ w["W"] + w["b"], 3)
    c = sigma(f) * s["c"] + (1 - sigma(f)) * np.tanh(g)
    h = sigma(out) * np.tanh(c)
    return h, {"h": h, "c": c}


def layer_norm_lstm(x, s, w, o):
    e = o.get("epsilon", 1e-5)
    bias = w.get("b", 0)
    i, f, g, out = gates(norm(x @ w["U"], e) * w["gU"] + norm(s["h"] @ w["W"], e) * w["gW"] + bias, 4)
    c = sigma(f) * s["c"] + sigma(i) * np.tanh(g)
    h = sigma(out) * np.tanh(norm(c, e) * w["gc"] + w.get("bc", 0))
    return h, {"h": h, "c": c}


def layer_norm_gru(x, s, w, o):
    e = o.get("epsilon", 1e-5)
    a, r = x @ w["U"], s["h"] @ w["W"]
    b = w.get("b", np.zeros((2, 3 * H)))
    a = np.concatenate([norm(a[: 2 * H], e), norm(a[2 * H :], e)]) * w["gU"] + b[0]
    r = np.concatenate([norm(r[: 2 * H], e), norm(r[2 * H :], e)]) * w["gW"] + b[1]
    keep, reset = sigma(a + r)[:H], sigma(a + r)[H : 2 * H]
    candidate = np.tanh(a[2 * H :] + reset * r[2 * H :])
    h = keep * s["h"] + (1 - keep) * candidate
    return h, {"h": h}


def minimal_gated(x, s, w, o):
    Uf, Uh = w["U"][:, :H], w["U"][:, H:]
    Wf, Wh = w["W"][:, :H], w["W"][:, H:]
    f = sigma(x @ Uf + s["h"] @ Wf + w["b"][:H])
    candidate = np.tanh(x @ Uh + (f * s["h"]) @ Wh + w["b"][H:])
    h = (1 - f) * s["h"] + f * candidate
    return h, {"h": h}


def ind_rnn(x, s, w, o):
    h = relu(x @ w["U"] + w["w"] * s["h"] + w["b"])
    return h, {"h": h}


def irnn(x, s, w, o):
    h = relu(x @ w["U"] + s["h"] @ w["W"] + w["b"])
    return h, {"h": h}


def leaky(x, s, w, o):
    a = o["leakRate"]
    h = (1 - a) * s["h"] + a * np.tanh(x @ w["U"] + s["h"] @ w["W"] + w["b"])
    return h, {"h": h}


def clockwork(x, s, w, o):
    periods = o.get("periods", [1, 2, 4, 8])
    size = H // len(periods)
    h = s["h"].copy()
    step = int(s["n"][0])
    for k, period in enumerate(periods):
        if step % period == 0:
            own = slice(k * size, (k + 1) * size)
            a = x @ w["U"][:, own] + w["b"][own]
            for j in range(k, len(periods)):
                read = slice((j - k) * size, (j - k + 1) * size)
                a = a + s["h"][j * size : (j + 1) * size] @ w[f"W{k}"][read]
            h[own] = np.tanh(a)
    return h, {"h": h, "n": np.array([(step + 1) % np.lcm.reduce(periods)])}


def sru(x, s, w, o):
    c0 = s["c"]
    u, f, r = gates((x @ w["U"])[: 3 * H], 3)
    shown = x if len(x) == H else (x @ w["U"])[3 * H :]
    f = sigma(f + w["v"][:H] * c0 + w["b"][:H])
    c = f * c0 + (1 - f) * u
    r = sigma(r + w["v"][H:] * c0 + w["b"][H:])
    alpha = np.sqrt(1 + 2 * np.exp(o.get("highwayBias", 0)))
    return r * c + (1 - r) * shown * alpha, {"c": c}


def qrnn(x, s, w, o):
    z, f, out = gates(s["previous"] @ w["V"] + x @ w["U"] + w["b"], 3)
    c = sigma(f) * s["c"] + (1 - sigma(f)) * np.tanh(z)
    return sigma(out) * c, {"c": c, "previous": x}


def min_gru(x, s, w, o):
    z, candidate = gates(x @ w["U"] + w["b"], 2)
    h = (1 - sigma(z)) * s["h"] + sigma(z) * candidate
    return h, {"h": h}


def min_lstm(x, s, w, o):
    f, i, candidate = gates(x @ w["U"] + w["b"], 3)
    f, i = sigma(f), sigma(i)
    h = f / (f + i) * s["h"] + i / (f + i) * candidate
    return h, {"h": h}


def slstm(x, s, w, o):
    """Without the stabilizer: the memory itself, of which ours keeps C = c e^m and N = n e^m."""
    i, f, z, out = gates(x @ w["U"] + s["h"] @ w["W"] + w["b"], 4)
    forget = np.exp(f) if o.get("forgetActivation") == "exponential" else sigma(f)
    log_forget = np.log(forget)
    C = forget * s["c"] * np.exp(s["m"]) + np.exp(i) * np.tanh(z)
    N = forget * s["n"] * np.exp(s["m"]) + np.exp(i)
    m = np.where(s["n"] == 0, i, np.maximum(log_forget + s["m"], i))
    h = sigma(out) * C / N
    return h, {"h": h, "c": C / np.exp(m), "n": N / np.exp(m), "m": m}


def lru(x, s, w, o):
    N = o["units"]
    nu, theta, gamma = w["lambda"]
    eigen = np.exp(-np.exp(nu) + 1j * np.exp(theta))
    into = w["U"][:, :N] + 1j * w["U"][:, N:]
    out = w["V"][:N] + 1j * w["V"][N:]
    state = eigen * (s["re"] + 1j * s["im"]) + np.exp(gamma) * (x @ into)
    return (state @ out).real + x @ w["D"], {"re": state.real, "im": state.imag}


def convolved(x, kernel, strides=1, dilation=1, same=False):
    """x [places…, I], kernel [k…, I, O]: place by place, as the sum says; zeros around, the odd one after."""
    rank = kernel.ndim - 2
    step, spread = np.broadcast_to(strides, rank), np.broadcast_to(dilation, rank)
    reach = [(kernel.shape[a] - 1) * spread[a] + 1 for a in range(rank)]
    size = [-(-x.shape[a] // step[a]) if same else (x.shape[a] - reach[a]) // step[a] + 1 for a in range(rank)]
    before = [max(0, (size[a] - 1) * step[a] + reach[a] - x.shape[a]) // 2 if same else 0 for a in range(rank)]
    y = np.zeros((*size, kernel.shape[-1]))
    for place in np.ndindex(*size):
        for j in np.ndindex(*kernel.shape[:rank]):
            at = tuple(place[a] * step[a] + j[a] * spread[a] - before[a] for a in range(rank))
            if all(0 <= at[a] < x.shape[a] for a in range(rank)):
                y[place] += x[at] @ kernel[j]
    return y


def conv_lstm(x, s, w, o):
    same = o.get("padding") == "same"
    seen = convolved(x, w["U"], o.get("strides", 1), o.get("dilationRate", 1), same)
    i, f, g, out = np.split(seen + convolved(s["h"], w["W"], same=True) + w.get("b", 0), 4, axis=-1)
    c = sigma(f) * s["c"] + sigma(i) * np.tanh(g)
    h = sigma(out) * np.tanh(c)
    return h, {"h": h, "c": c}


def case(cell, step, options, params, states, inputs=I):
    w = {name: numbers(*shape) for name, shape in params.items()}
    x = numbers(B, T, *np.atleast_1d(inputs))
    initial = {name: make(B, *np.atleast_1d(size)) for name, (size, make) in states.items()}
    output, final = [], {name: [] for name in states}
    for row in range(B):
        s = {name: each[row] for name, each in initial.items()}
        outputs = []
        for t in range(T):
            y, s = step(x[row, t], s, w, options)
            outputs.append(y)
        output.append(np.array(outputs))
        for name in states:
            final[name].append(s[name])
    listed = lambda each: np.round(each, 10).ravel().tolist()
    plain = lambda named: {name: listed(each) for name, each in named.items()}
    return {
        "cell": cell,
        "options": options,
        "sizes": {"T": T, "B": B, "I": inputs},
        "params": plain(w),
        "x": listed(x),
        "initial": plain(initial),
        "output": listed(output),
        "final": plain(final),
    }


def positive(*shape):
    return np.abs(numbers(*shape)) + 0.5


def zeros(*shape):
    return np.zeros(shape)


def counts(rows, size):
    return np.arange(rows * size).reshape(rows, size)


u = {"units": H}
h = {"h": (H, numbers)}
hc = {**h, "c": (H, numbers)}
memory = {**hc, "n": (H, positive), "m": (H, numbers)}
empty = {**h, "c": (H, zeros), "n": (H, zeros), "m": (H, zeros)}


def simple(k):
    return {"U": (I, k * H), "W": (H, k * H), "b": (k * H,)}


def modules(g):
    return {"U": (I, H), **{f"W{k}": ((g - k) * H // g, H // g) for k in range(g)}, "b": (H,)}


def conv(cell, options, inputs, places):
    F, kernel = options["filters"], np.broadcast_to(options["kernelSize"], len(places)).tolist()
    params = {"U": (*kernel, inputs[-1], 4 * F), "W": (*kernel, F, 4 * F), "b": (4 * F,)}
    params = {name: shape for name, shape in params.items() if name != "b" or options.get("useBias", True)}
    state = ([*places, F], numbers)
    return case(cell, conv_lstm, options, params, {"h": state, "c": state}, inputs)


normed_lstm = {**simple(4), "gU": (4 * H,), "gW": (4 * H,), "gc": (H,), "bc": (H,)}
normed_gru = {"U": (I, 3 * H), "W": (H, 3 * H), "gU": (3 * H,), "gW": (3 * H,)}
no_bias = {**u, "useBias": False, "epsilon": 0.01}

CASES = [
    case("peepholeLstmCell", peephole, u, {**simple(4), "P": (3 * H,)}, hc),
    case("coupledLstmCell", coupled, u, simple(3), hc),
    case("layerNormLstmCell", layer_norm_lstm, u, normed_lstm, hc),
    case(
        "layerNormLstmCell",
        layer_norm_lstm,
        no_bias,
        {name: shape for name, shape in normed_lstm.items() if name not in ("b", "bc")},
        hc,
    ),
    case("layerNormGruCell", layer_norm_gru, u, {**normed_gru, "b": (2, 3 * H)}, h),
    case("layerNormGruCell", layer_norm_gru, no_bias, normed_gru, h),
    case("minimalGatedCell", minimal_gated, u, simple(2), h),
    case("indRnnCell", ind_rnn, u, {"U": (I, H), "w": (H,), "b": (H,)}, h),
    case("irnnCell", irnn, u, simple(1), h),
    case("leakyCell", leaky, {**u, "leakRate": 0.3}, simple(1), h),
    case("clockworkCell", clockwork, u, modules(4), {**h, "n": (1, counts)}),
    case("clockworkCell", clockwork, {**u, "periods": [2, 3]}, modules(2), {**h, "n": (1, counts)}),
    case("sruCell", sru, u, {"U": (I, 4 * H), "v": (2 * H,), "b": (2 * H,)}, {"c": (H, numbers)}),
    case(
        "sruCell",
        sru,
        {**u, "highwayBias": -2},
        {"U": (H, 3 * H), "v": (2 * H,), "b": (2 * H,)},
        {"c": (H, numbers)},
        inputs=H,
    ),
    case(
        "qrnnCell",
        qrnn,
        u,
        {"V": (I, 3 * H), "U": (I, 3 * H), "b": (3 * H,)},
        {"c": (H, numbers), "previous": (I, numbers)},
    ),
    case("minGruCell", min_gru, u, {"U": (I, 2 * H), "b": (2 * H,)}, h),
    case("minLstmCell", min_lstm, u, {"U": (I, 3 * H), "b": (3 * H,)}, h),
    case("slstmCell", slstm, u, simple(4), memory),
    case("slstmCell", slstm, {**u, "forgetActivation": "exponential"}, simple(4), empty),
    case(
        "lruCell",
        lru,
        {"units": 3, "outputs": 2},
        {"lambda": (3, 3), "U": (I, 6), "V": (6, 2), "D": (I, 2)},
        {"re": (3, numbers), "im": (3, numbers)},
    ),
    case("echoStateCell", leaky, {**u, "leakRate": 0.6}, simple(1), h),
    conv("convLstm1dCell", {"filters": 2, "kernelSize": 3}, [6, 2], [4]),
    conv("convLstm1dCell", {"filters": 1, "kernelSize": 2, "padding": "same", "strides": 2}, [5, 2], [3]),
    conv("convLstm2dCell", {"filters": 2, "kernelSize": [2, 3], "dilationRate": [2, 1]}, [5, 4, 1], [3, 2]),
    conv("convLstm2dCell", {"filters": 1, "kernelSize": 3, "padding": "same"}, [3, 4, 2], [3, 4]),
    conv(
        "convLstm2dCell",
        {"filters": 2, "kernelSize": [3, 2], "strides": [2, 1], "padding": "same", "useBias": False},
        [4, 3, 1],
        [2, 3],
    ),
]

if __name__ == "__main__":
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(CASES))
