/**
 * Cells and layers against PyTorch in double precision: losses, outputs, final states, every gradient. Python reads the
 * layers as they describe themselves. Runs with RECURRA_ORACLES=1 where Python can import torch.
 */
import { describe, test } from 'vitest'
import type { Cell } from '../../src/cells/define.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { jordanCell } from '../../src/cells/jordan.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import { elman, gru, jordan, lstm, type Recurrent, recurrent } from '../../src/layers/recurrent.ts'
import { random } from '../contract/support.ts'
import { caseOf, compare, type Last, OUTPUTS, type Shape, SIZES, VOCABULARY } from './cases.ts'
import { askPyTorch, skipped } from './python.ts'

const long = process.env['RECURRA_LONG'] === '1'

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
  'elman, sigmoid, from the end': (last) => [elman({ ...last, activation: 'sigmoid', goBackwards: true })],
  jordan: (last) => [jordan({ ...last, outputs: 4 })],
  'jordan, sigmoid, no biases, from the end': (last) => [
    jordan({ ...last, outputs: 2, activation: 'sigmoid', useBias: false, goBackwards: true }),
  ],
  'jordan on jordan': (last) => [
    jordan({ ...last, outputs: 3, returnSequences: true }),
    jordan({ ...last, outputs: 2 }),
  ],
  'bidirectional jordan': (last) => [bidirectional(jordan({ ...last, outputs: 3 }))],
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

/** Draws that depend on the seed alone. */
function drawing(seed: number) {
  // Seeds side by side begin with the same draw.
  const { integers } = random(Math.imul(seed + 1, 0x9e3779b1))
  const upTo = (most: number) => integers(1, 1, most)[0]!
  return { upTo, one: <T>(...of: readonly T[]) => of[upTo(of.length) - 1]! }
}

/** Cells, functions, forms and sizes of all kinds together. */
function drawn(seed: number) {
  const { upTo, one } = drawing(seed)
  const cell = (): Cell => {
    const activation = one('tanh', 'tanh', 'tanh', 'sigmoid', 'relu', 'linear', 'hardSigmoid', 'softmax')
    const options = { units: upTo(8), useBias: one(true, false), activation } as const
    const recurrentActivation = one('sigmoid', 'sigmoid', 'sigmoid', 'hardSigmoid', 'softmax')
    const gated = { ...options, recurrentActivation } as const
    return one(
      () => elmanCell(options),
      () => jordanCell({ ...options, outputs: upTo(5) }),
      () => gruCell({ ...gated, resetAfter: one(true, false) }),
      () => lstmCell(gated),
    )()
  }
  const carried = one(true, false, false)
  const layer = (returnSequences: boolean): Layer => {
    const options = { returnSequences, initialState: carried ? 'zeros' : one('zeros', 'trainable') } as const
    return one<() => Layer>(
      () => recurrent(cell(), { ...options, goBackwards: one(true, false) }),
      () => recurrent([cell(), cell()], { ...options, goBackwards: one(true, false) }),
      () => bidirectional(recurrent(cell(), options), { mergeMode: one('concat', 'sum', 'mul', 'ave') }),
    )()
  }
  const sequences = one(true, false)
  const below = Array.from({ length: upTo(3) - 1 }, () => layer(true))
  const sizes = { T: upTo(12), B: upTo(9), I: upTo(6) }
  const shape: Shape = { largest, ...sizes, padding: one('lengths', 'none'), sequences, carried }
  return caseOf([...below, layer(sequences), dense({ units: OUTPUTS })], shape, seed)
}
/** Feedback that nothing bounds, with larger weights, amplifies what f32 rounds off. */
const largest = 0.5

const NN: readonly ((options: Last) => Recurrent)[] = [
  elman,
  (options) => elman({ ...options, activation: 'relu' }),
  lstm,
  gru,
]

/** One of PyTorch's modules as it is: its outputs and final states are the model's. */
function asModule(seed: number) {
  const { upTo, one } = drawing(seed)
  const [make, both, sequences] = [NN[seed % NN.length]!, one(true, false), one(true, false)]
  const [units, depth, begin] = [upTo(12), upTo(3), one('zeros', 'trainable', 'carried')]
  const layers = Array.from({ length: depth }, (_, k) => {
    const initialState = begin === 'carried' ? 'zeros' : begin
    const layer = make({ units, returnSequences: sequences || k < depth - 1, initialState })
    return both ? bidirectional(layer) : layer
  })
  const sizes = { T: upTo(12), B: upTo(9), I: upTo(8) }
  const [padding, sorted] = [one('lengths', 'none'), one(true, false)]
  const shape: Shape = { largest, ...sizes, padding, sorted, sequences, carried: begin === 'carried' }
  const module = { batch_first: one(true, false), pack: padding === 'lengths', enforce_sorted: sorted }
  return caseOf(layers, shape, seed, { module })
}

const FIXED = { ...MODELS, 'tied to the embedding': TOKENS }
const AT_RANDOM = `${long ? 300 : 40} at random`
const MODULES = '200 modules at random'

function fixed([name, make]: [string, (last: Last) => readonly Layer[]]) {
  return Array.from({ length: 12 }, (_, seed) => {
    const last = { units: 5, returnSequences: (seed & 2) === 2, initialState: 'trainable' } as const
    const tokens = make === TOKENS
    const layers = tokens ? make(last) : [...make(last), dense({ units: OUTPUTS })]
    const padding = seed % 2 === 1 ? 'lengths' : 'none'
    const shape: Shape = { ...SIZES[seed % 3]!, padding, sequences: last.returnSequences, tokens }
    return { name, seed, ...caseOf(layers, shape, seed) }
  })
}

const cases = skipped
  ? []
  : [
      ...Object.entries(FIXED).flatMap(fixed),
      ...Array.from({ length: long ? 300 : 40 }, (_, seed) => ({ name: AT_RANDOM, seed, ...drawn(seed) })),
      ...Array.from({ length: 200 }, (_, seed) => ({ name: MODULES, seed, ...asModule(seed) })),
    ]

describe.skipIf(skipped)('cells and layers against PyTorch', () => {
  const told = cases.map((each) => each.told)
  const answers = askPyTorch('cells.py', told)

  test.each([...Object.keys(FIXED), AT_RANDOM, MODULES])('%s', async (wantedName) => {
    for (const [i, { name, seed, ...each }] of cases.entries()) {
      if (name === wantedName) await compare(each, answers[i]!, 'rounding', `case ${seed}`)
    }
  })
})
