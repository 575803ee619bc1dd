/**
 * Against TensorFlow.js where it agrees with Keras: losses, outputs, final states, every gradient, in f32. Runs with
 * RECURRA_ORACLES=1; the packages are those of bench/, installed on first use. Not here, because TF.js has it otherwise
 * or not at all: a GRU with resetAfter, hardSigmoid, and outputs of masked steps.
 */
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'
import { installOnFirstUse } from '../../scripts/install.mjs'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { elman, gru, lstm, type RecurrentOptions } from '../../src/layers/recurrent.ts'
import { ask, unless, wanted } from './ask.ts'
import { caseOf, compare, OUTPUTS, VOCABULARY } from './cases.ts'

const bench = fileURLToPath(new URL('../../bench', import.meta.url))
const absent = wanted
  ? installOnFirstUse(bench, () => console.log('installing the packages of bench on first use (npm ci)'))
  : undefined
const skipped = unless(absent, 'TensorFlow.js')

interface Options extends RecurrentOptions {
  readonly units: number
  readonly useBias: boolean
}
const CELLS: Readonly<Record<string, (options: Options) => Layer>> = {
  elman,
  'elman, relu': (options) => elman({ ...options, activation: 'relu' }),
  'gru, reset before the product': (options) => gru({ ...options, resetAfter: false }),
  lstm,
  'lstm, other functions': (options) =>
    lstm({ ...options, activation: 'sigmoid', recurrentActivation: 'tanh' }),
}
/** From 2 steps on: TF.js fails at the gradient of cutting a sequence into one step. */
const SIZES = [
  { T: 2, B: 1, I: 1 },
  { T: 6, B: 4, I: 3 },
  { T: 4, B: 7, I: 5 },
]
const EITHER = [false, true]
const BEGINS = ['zeros', 'trainable', 'carried'] as const
const all = EITHER.flatMap((two) =>
  EITHER.flatMap((sequences) =>
    EITHER.flatMap((goBackwards) =>
      EITHER.flatMap((ragged) => BEGINS.map((begin) => ({ two, sequences, goBackwards, ragged, begin }))),
    ),
  ),
)

function casesOf([name, make]: [string, (options: Options) => Layer], k: number) {
  const models = all.map(({ two, sequences, goBackwards, ragged, begin }, i) => {
    const initialState = begin === 'trainable' ? begin : 'zeros'
    const options = {
      units: 5,
      useBias: (i + k) % 4 > 0,
      returnSequences: sequences,
      initialState,
      goBackwards,
    } as const
    const below = two ? [make({ ...options, units: 3, returnSequences: true })] : []
    const layers = [...below, make(options), dense({ units: OUTPUTS })]
    const shape = { ...SIZES[(i + Math.floor(i / BEGINS.length) + k) % SIZES.length]!, ragged, sequences }
    return { name, ...caseOf(layers, { ...shape, carried: begin === 'carried' }, 100 * k + i) }
  })
  const texts = EITHER.map((sequences) => {
    const options = { units: 4, useBias: true, returnSequences: sequences }
    const layers = [
      embedding({ inputDim: VOCABULARY, outputDim: 3 }),
      make(options),
      dense({ units: VOCABULARY }),
    ]
    return { name, ...caseOf(layers, { ...SIZES[1]!, ragged: false, sequences, tokens: true }, k) }
  })
  return [...models, ...texts]
}
const cases = skipped ? [] : Object.entries(CELLS).flatMap(casesOf)

describe.skipIf(skipped)('layers against TensorFlow.js', () => {
  const told = cases.map((each) => each.told)
  const answers = skipped ? [] : ask(process.execPath, 'tfjs.mjs', told)

  test.each(Object.keys(CELLS))('%s', async (wantedName) => {
    for (const [i, { name, ...each }] of cases.entries()) {
      if (name === wantedName) await compare(each, answers[i]!, 'f32', `case ${i}`)
    }
  })
})
