/**
 * Cells and layers against PyTorch in double precision: losses, outputs, final states, every gradient. Python reads the
 * layers as they describe themselves. Runs with RECURRA_ORACLES=1 where Python can import torch.
 */
import { describe, expect, test } from 'vitest'
import { gruCell } from '../../src/cells/gru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import { elman, gru, jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { openWasm, outside, random, runOracle, traceLoss } from '../contract/support.ts'
import { ask, skipped } from './python.ts'

const OUTPUTS = 3
const VOCABULARY = 7

interface Last {
  readonly units: number
  readonly returnSequences: boolean
  readonly initialState: 'zeros' | 'trainable'
}

/** Layers on numbers; `last` are the options of the last recurrent one. A dense layer follows. */
const MODELS: Readonly<Record<string, (last: Last) => readonly Layer[]>> = {
  gru: (last) => [gru(last)],
  'gru of two layers': (last) => [gru({ ...last, units: 3, returnSequences: true }), gru(last)],
  'gru of two cells': ({ units, ...last }) => [recurrent([gruCell({ units }), gruCell({ units })], last)],
  'gru without biases': (last) => [gru({ ...last, useBias: false })],
  'gru, reset before the product': (last) => [gru({ ...last, resetAfter: false })],
  'gru, hard gates': (last) => [
    gru({ ...last, resetAfter: false, activation: 'relu', recurrentActivation: 'hardSigmoid' }),
  ],
  'lstm of two cells': ({ units, ...last }) => [recurrent([lstmCell({ units }), lstmCell({ units })], last)],
  'lstm without biases, hard gates': (last) => [
    lstm({ ...last, useBias: false, recurrentActivation: 'hardSigmoid' }),
  ],
  'elman, relu': (last) => [elman({ ...last, activation: 'relu' })],
  jordan: (last) => [jordan({ ...last, outputs: 4 })],
  'bidirectional lstm': (last) => [bidirectional(lstm(last))],
  'bidirectional gru of two layers': (last) => [
    bidirectional(gru({ ...last, units: 2, returnSequences: true }), { mergeMode: 'mul' }),
    bidirectional(gru(last), { mergeMode: 'ave' }),
  ],
  'bidirectional elman, sum': (last) => [bidirectional(elman(last), { mergeMode: 'sum' })],
  'layer norm': (last) => [layerNorm(), elman(last), layerNorm({ epsilon: 0.1 })],
}
const TOKENS = (last: Last) => [
  embedding({ inputDim: VOCABULARY, outputDim: 4 }),
  gru({ ...last, units: 4 }),
  dense({ units: VOCABULARY, tiedTo: 'embedding' }),
]

function caseOf(layers: readonly Layer[], tokens: boolean, seed: number) {
  const [ragged, sequences] = [seed % 2 === 1, (seed & 2) === 2]
  const { T, B, I } = [
    { T: 1, B: 1, I: 1 },
    { T: 6, B: 4, I: 3 },
    { T: 4, B: 9, I: 5 },
  ][seed % 3]!
  const input = tokens
    ? ({ shape: [null], dtype: 'i32' } as const)
    : ({ shape: [null, I], dtype: 'f32' } as const)
  const model = sequential(layers, { input })
  const { numbers, integers, weights } = random(seed)
  const drawn = weights(model)
  const rows = B * (sequences ? T : 1)
  const told = {
    ...{ T, B, inputs: tokens ? [] : [I], lengths: ragged ? integers(B, 1, T) : null },
    layers: model.layers,
    loss: tokens ? ('softmaxCrossEntropy' as const) : ('meanSquaredError' as const),
    weights: Object.fromEntries(
      [...model.built.params].map(([path, { shape }]) => [path, { shape, data: drawn[path]! }]),
    ),
    x: tokens ? integers(B * T, 0, VOCABULARY - 1) : numbers(B * T * I),
    y: tokens ? integers(rows, 0, VOCABULARY - 1) : numbers(rows * OUTPUTS),
  }
  return { model, told, given: { ...drawn, x: told.x, y: told.y, lengths: told.lengths ?? [] } }
}

const cases = Object.entries({ ...MODELS, 'tied to the embedding': TOKENS }).flatMap(([name, make]) =>
  Array.from({ length: 12 }, (_, seed) => {
    const last = { units: 5, returnSequences: (seed & 2) === 2, initialState: 'trainable' } as const
    const tokens = make === TOKENS
    const layers = tokens ? make(last) : [...make(last), dense({ units: OUTPUTS })]
    return { name, seed, ...caseOf(layers, tokens, seed) }
  }),
)

describe.skipIf(skipped)('cells and layers against PyTorch', () => {
  const answers = ask(
    'cells.py',
    cases.map(({ told }) => told),
  )

  test.each([...new Set(cases.map(({ name }) => name))])('%s', async (wantedName) => {
    for (const [i, { name, seed, model, told, given }] of cases.entries()) {
      if (name !== wantedName) continue
      const named = traceLoss(model, told.loss, told.lengths !== null)
      const sizes = new Map(Object.entries({ T: told.T, B: told.B }))
      expect(named.outputs.toSorted(), `case ${seed}`).toEqual(Object.keys(answers[i]!).toSorted())
      expect(outside('f64', runOracle(named, given, sizes), answers[i]!), `f64, case ${seed}`).toEqual([])
      const wasm = await openWasm(named)
      expect(outside('f32', await wasm(given, sizes), answers[i]!), `WASM, case ${seed}`).toEqual([])
    }
  })
})
