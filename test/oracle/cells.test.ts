/**
 * Cells and layers against PyTorch in double precision: losses, outputs, final states, every gradient. Python reads the
 * layers as they describe themselves. Runs with RECURRA_ORACLES=1 where Python can import torch.
 */
import { describe, test } from 'vitest'
import { gruCell } from '../../src/cells/gru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import { elman, gru, jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { caseOf, compare, type Last, OUTPUTS, SIZES, VOCABULARY } from './cases.ts'
import { askPyTorch, skipped } from './python.ts'

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

const cases = Object.entries({ ...MODELS, 'tied to the embedding': TOKENS }).flatMap(([name, make]) =>
  Array.from({ length: 12 }, (_, seed) => {
    const last = { units: 5, returnSequences: (seed & 2) === 2, initialState: 'trainable' } as const
    const tokens = make === TOKENS
    const layers = tokens ? make(last) : [...make(last), dense({ units: OUTPUTS })]
    const shape = { ...SIZES[seed % 3]!, ragged: seed % 2 === 1, sequences: last.returnSequences, tokens }
    return { name, seed, ...caseOf(layers, shape, seed) }
  }),
)

describe.skipIf(skipped)('cells and layers against PyTorch', () => {
  const answers = askPyTorch(
    'cells.py',
    cases.map(({ told }) => told),
  )

  test.each([...new Set(cases.map(({ name }) => name))])('%s', async (wantedName) => {
    for (const [i, { name, seed, ...each }] of cases.entries()) {
      if (name === wantedName) await compare(each, answers[i]!, 'f64', `case ${seed}`)
    }
  })
})
