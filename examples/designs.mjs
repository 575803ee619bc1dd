/**
 * The three designs of a recurrent network (Goodfellow et al. 2016, section 10.2), on one task. A sequence shows a bit at its
 * first step, and asks for it later with a go signal; the target is 0 at every other step.
 *
 *     Design 1   h(t−1) → h(t), an output every step          elman, dense
 *     Design 2   o(t−1) → h(t), the output alone goes on       jordan
 *     Design 3   h(t−1) → h(t), one output at the end          elman, dense; its target is the bit
 *
 * Design 2 is trained by teacher forcing: at the go signal it reads the signal and the target of the step before. Those are
 * the same for both bits, so its output is too, and that costs at least 1 there, (1² + 1²) / 2: the floor below. What it
 * remembers it has to put out; an output that is wide enough to hold the bit beside the answer solves the task. In return
 * its steps, forced, do not wait for each other: the compiler leaves no loop over time.
 *
 *     npm run build && node examples/designs.mjs
 */

import { adam, dense, elman, explain, fit, jordan, predict, sequential, tensor, trainingGraph } from 'recurra'
import { sequences } from 'recurra/data'

/** @typedef {import('recurra').Model} Model */

const [STEPS, EPOCHS, EVERY, UNITS] = [10, 400, 50, 12]

/** Every sequence that there is: a bit, and the step of the go signal. */
const ALL = [-1, 1].flatMap((bit) => Array.from({ length: STEPS - 2 }, (_, i) => ({ bit, go: i + 2 })))
const steps = Array.from({ length: STEPS }, (_, t) => t)
const inputs = ALL.map(({ bit, go }) => steps.map((t) => [t === 0 ? bit : 0, t === go ? 1 : 0]))
const answers = ALL.map(({ bit, go }) => steps.map((t) => [t === go ? bit : 0]))

/**
 * What is learnt from what, and where the answer to a sequence stands among its outputs.
 * @typedef {{ model: Model, targets: number[][] | number[][][], width: number, teacherForcing?: boolean, atEnd?: boolean }} Design
 * @type {Map<string, Design>}
 */
const designs = new Map([
  [
    'Design 1',
    {
      model: sequential([elman({ units: UNITS, returnSequences: true }), dense({ units: 1 })]),
      ...{ targets: answers, width: 1 },
    },
  ],
  [
    'Design 2',
    {
      model: sequential([jordan({ units: UNITS, outputs: 1, returnSequences: true })]),
      ...{ targets: answers, width: 1, teacherForcing: true },
    },
  ],
  [
    'Design 2, wide',
    {
      model: sequential([jordan({ units: UNITS, outputs: 2, returnSequences: true })]),
      targets: ALL.map(({ bit }, i) => steps.map((t) => [...answers[i][t], bit])),
      ...{ width: 2, teacherForcing: true },
    },
  ],
  [
    'Design 3',
    {
      model: sequential([elman({ units: UNITS }), dense({ units: 1 })]),
      ...{ targets: ALL.map(({ bit }) => [bit]), width: 1, atEnd: true },
    },
  ],
])

/** @param {Design} design @returns {Promise<number>} the share of sequences whose bit is told, run free */
async function told({ model, width, atEnd }) {
  const { data } = await predict(model, inputs)
  const answer = (row, go) => (atEnd ? data[row] : data[(row * STEPS + go) * width])
  return ALL.filter(({ bit, go }, row) => answer(row, go) * bit > 0).length / ALL.length
}

/** @param {string} name @returns {Promise<{ epoch: number, loss: number, told: number }[]>} */
async function curveOf(name) {
  const design = designs.get(name)
  const { model, targets, teacherForcing = false } = design
  const batches = sequences(inputs, tensor(targets), { batch: ALL.length })
  const curve = []
  let state
  for (let epochs = EVERY; epochs <= EPOCHS; epochs += EVERY) {
    const run = fit(model, batches, {
      ...{
        loss: 'meanSquaredError',
        optimizer: adam({ learningRate: 0.01 }),
        teacherForcing,
        seed: 3,
        epochs,
      },
      ...(state && { resume: state }),
    })
    const { loss } = (await run).epochs.at(-1)
    state = await run.state()
    curve.push({ epoch: epochs, loss, told: await told(design) })
  }
  return curve
}

/** @param {string[]} cells */
const line = (cells) =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padStart(5) : cell.padStart(20))).join('  '))

const names = [...designs.keys()]
const curves = []
for (const name of names) curves.push(await curveOf(name))
console.log(`${ALL.length} sequences of ${STEPS} steps: loss while it is trained, bits that are told\n`)
line(['epoch', ...names])
for (const [i, { epoch }] of curves[0].entries()) {
  const cells = curves.map(
    (curve) => `${curve[i].loss.toFixed(4)}  ${(100 * curve[i].told).toFixed(0).padStart(3)}%`,
  )
  line([String(epoch), ...cells])
}
console.log(`floor of Design 2: ${(1 / STEPS).toFixed(4)}\n`)

console.log('What is left of the loops over time in a training step of Design 2:')
for (const teacherForcing of [false, true]) {
  const graph = trainingGraph(designs.get('Design 2').model, {
    ...{ loss: 'meanSquaredError', optimizer: adam(), teacherForcing },
  })
  const left = explain(graph)
    .match(/simplify +(.*)/g)
    .at(-1)
    .replace(/simplify +/, '')
  console.log(`  ${(teacherForcing ? 'forced' : 'free').padEnd(6)}  ${left}`)
}
