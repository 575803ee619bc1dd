/** Cells as a user would write them, through defineCell. The same in PyTorch: peers/pytorch.py. */

/** @typedef {typeof import('../dist/index.js')} Library */

/** The LSTM's equations. @param {Library} recurra */
function userLstm({ defineCell, glorotUniform, joined, ones, orthogonal, zeros }) {
  return defineCell()({
    name: 'userLstm',
    state: ({ units }) => ({ h: units, c: units }),
    params: ({ inputs, units }) => ({
      U: glorotUniform(inputs, 4 * units),
      W: orthogonal(units, 4 * units),
      b: joined(zeros(units), ones(units), zeros(2 * units)),
    }),
  }).step(({ x, state: { h, c }, params: { U, W, b }, options: { units } }) => {
    const z = x.matmul(U).add(h.matmul(W)).add(b)
    const [i, f, g, o] = [0, 1, 2, 3].map((gate) => z.slice(1, gate * units, (gate + 1) * units))
    const next = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()))
    const output = o.sigmoid().mul(next.tanh())
    return { output, state: { h: output, c: next } }
  })
}

/** Zhou et al. 2016: one gate both resets and updates. @param {Library} recurra */
function minimalGated({ defineCell, glorotUniform, orthogonal, zeros }) {
  return defineCell()({
    name: 'userMinimalGated',
    state: ({ units }) => ({ h: units }),
    params: ({ inputs, units }) => ({
      Uf: glorotUniform(inputs, units),
      Wf: orthogonal(units, units),
      bf: zeros(units),
      Uh: glorotUniform(inputs, units),
      Wh: orthogonal(units, units),
      bh: zeros(units),
    }),
  }).step(({ x, state: { h }, params: { Uf, Wf, bf, Uh, Wh, bh } }) => {
    const f = x.matmul(Uf).add(h.matmul(Wf)).add(bf).sigmoid()
    const candidate = x.matmul(Uh).add(f.mul(h).matmul(Wh)).add(bh).tanh()
    const next = h.add(f.mul(candidate.sub(h)))
    return { output: next, state: { h: next } }
  })
}

/** Ba et al. 2016, with one bias b for both sums of the gates. @param {Library} recurra */
function layerNormLstm({ defineCell, glorotUniform, ones, orthogonal, zeros }) {
  return defineCell()({
    name: 'userLayerNormLstm',
    state: ({ units }) => ({ h: units, c: units }),
    params: ({ inputs, units }) => ({
      U: glorotUniform(inputs, 4 * units),
      W: orthogonal(units, 4 * units),
      b: zeros(4 * units),
      gU: ones(4 * units),
      gW: ones(4 * units),
      gc: ones(units),
      bc: zeros(units),
    }),
  }).step(({ x, state: { h, c }, params: { U, W, b, gU, gW, gc, bc }, options: { units } }) => {
    const z = normalized(x.matmul(U))
      .mul(gU)
      .add(normalized(h.matmul(W)).mul(gW))
      .add(b)
    const [i, f, g, o] = [0, 1, 2, 3].map((gate) => z.slice(1, gate * units, (gate + 1) * units))
    const next = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()))
    const output = o.sigmoid().mul(normalized(next).mul(gc).add(bc).tanh())
    return { output, state: { h: output, c: next } }
  })
}

/** Over the last axis. @param {import('../dist/index.js').Value} x */
function normalized(x) {
  const centered = x.sub(x.mean(-1, { keepDims: true }))
  const variance = centered.square().mean(-1, { keepDims: true })
  return centered.div(variance.add(1e-5).sqrt())
}

const WRITTEN = { userLstm, minimalGated, layerNormLstm }

/**
 * @param {Library} recurra
 * @param {import('./workload.mjs').Cell} cell
 * @param {number} units
 * @returns {import('../dist/index.js').Layer}
 */
export function layerOf(recurra, cell, units) {
  if (cell in WRITTEN) return recurra.recurrent(WRITTEN[cell](recurra)({ units }))
  return recurra[cell]({ units })
}
