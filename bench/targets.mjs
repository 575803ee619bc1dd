/** What the grid has to reach, and whether rows reach it. */

import { digits, percent } from './table.mjs'
import { shapeName } from './workload.mjs'

/** @typedef {import('./table.mjs').Row} Row */
/** @typedef {import('./suites/core.mjs').Ratio} Ratio */
/** @typedef {import('./suites/costs.mjs').Cost} Cost */

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {'every' | 'mean'} of every: the worst of the rows counts; mean: their geometric mean
 * @property {number} bound at least; of costs at most
 * @property {boolean} [atMost]
 * @property {(value: number) => string} [print] default: `digits`
 * @property {(rows: Row[]) => [value: number, row: string][]} values
 */

/** @typedef {{ target: string, met: boolean | undefined, text: string }} Verdict met is undefined where nothing was measured */

const BUILT_IN = ['lstm', 'gru', 'elman']
const WRITTEN = ['minimalGated', 'layerNormLstm']

/** @param {Row[]} rows @returns {Ratio[]} */
const ratios = (rows) => /** @type {Ratio[]} */ (rows.filter(({ kind }) => kind !== 'cost'))
/** @param {Ratio} row */
const pointOf = (row) => `${row.cell} ${shapeName(row)}`

/** @param {Ratio[]} rows @returns {Ratio[]} at each point those of our fastest number of threads */
export function fastest(rows) {
  const point = (row) => [row.kind, row.peer, row.backend, pointOf(row)].join()
  return rows.filter((row) => rows.every((other) => point(other) !== point(row) || other.ms >= row.ms))
}

/** @param {Partial<Ratio>} wanted @param {readonly string[]} [cells] */
const against =
  (wanted, cells = BUILT_IN) =>
  (rows) => {
    const fits = (row) => row.best && Object.entries(wanted).every(([name, value]) => row[name] === value)
    const found = ratios(rows).filter((row) => fits(row) && cells.includes(row.cell))
    return fastest(found).map((row) => [row.ratio, pointOf(row)])
  }

/** @param {Partial<Ratio>} wanted every row of it */
const eachOf = (wanted) => (rows) =>
  ratios(rows)
    .filter((row) => Object.entries(wanted).every(([name, value]) => row[name] === value))
    .map((row) => [row.ratio, `${row.backend} on ${row.threads}, ${pointOf(row)}`])

/** @param {(row: Ratio) => boolean} sizes of the native LSTM on one thread; a point has the same share in every row */
const shareOfPeak = (sizes) => (rows) => {
  const wanted = (row) => row.kind === 'train' && row.backend === 'native' && row.threads === 1
  const found = ratios(rows).filter(
    (row) => wanted(row) && row.cell === 'lstm' && row.share !== undefined && sizes(row),
  )
  return [...new Map(found.map((row) => [pointOf(row), row.share]))].map(([point, share]) => [share, point])
}

/** @param {RegExp} name */
const costsOf = (name) => (rows) =>
  rows
    .filter((row) => row.kind === 'cost' && name.test(row.name))
    .map((row) => [/** @type {Cost} */ (row).value, `${row.backend}, ${/** @type {Cost} */ (row).name}`])

const train = /** @type {const} */ ('train')
const native = { kind: train, backend: 'native' }
const wasm = { kind: train, backend: 'wasm' }

/** @param {string} name @param {Target['values']} values @param {number} every @param {number} mean @returns {Target[]} */
const everyAndMean = (name, values, every, mean) => [
  { name, of: 'every', bound: every, values },
  { name, of: 'mean', bound: mean, values },
]

/** @type {Target[]} */
const TARGETS = [
  {
    ...{
      name: 'native LSTM on one thread, share of the peak, H 64',
      of: 'every',
      bound: 0.7,
      print: percent,
    },
    values: shareOfPeak(({ H, B }) => H === 64 && B > 1),
  },
  {
    ...{ name: 'the same, H 128 and above', of: 'every', bound: 0.8, print: percent },
    values: shareOfPeak(({ H, B }) => H >= 128 && B > 1),
  },
  {
    ...{ name: 'the same, B 1', of: 'every', bound: 0.4, print: percent },
    values: shareOfPeak(({ B }) => B === 1),
  },
  ...everyAndMean('native against PyTorch', against({ ...native, peer: 'pytorch' }), 1.5, 5),
  ...everyAndMean('WASM against PyTorch', against({ ...wasm, peer: 'pytorch' }), 0.4, 1.4),
  { name: 'WASM against TF.js WASM', of: 'mean', bound: 30, values: against({ ...wasm, peer: 'tfjs-wasm' }) },
  { name: 'WASM against jax-js', of: 'mean', bound: 6, values: against({ ...wasm, peer: 'jax-js' }) },
  {
    ...{ name: "a user's cell, native, against PyTorch", of: 'every', bound: 3 },
    values: against({ ...native, peer: 'pytorch' }, WRITTEN),
  },
  {
    ...{ name: 'whole sequences, native, against ONNX Runtime on as many threads', of: 'every', bound: 1 },
    values: eachOf({ kind: 'infer', backend: 'native', peer: 'onnxruntime' }),
  },
  {
    ...{ name: 'one streamed step, native, against ONNX Runtime', of: 'every', bound: 5 },
    values: eachOf({ kind: 'stream', backend: 'native', peer: 'onnxruntime' }),
  },
  {
    ...{ name: 'two threads against one, T100 B64 I128 H256', of: 'every', bound: 1.8 },
    values: eachOf({ kind: train, peer: 'recurra', threads: 2, cell: 'lstm', T: 100, B: 64, I: 128, H: 256 }),
  },
  {
    ...{ name: 'lengths uniform in 1 … T, share of the padded time', of: 'every', bound: 0.6, atMost: true },
    values: (rows) => eachOf({ peer: 'recurra-padded' })(rows).map(([ratio, row]) => [1 / ratio, row]),
  },
  ...[
    { name: 'native build of a new model, ms', bound: 400, values: costsOf(/^build, new/) },
    { name: 'native build from the cache, ms', bound: 15, values: costsOf(/^build, from/) },
    { name: 'resident memory beside the arena, MB', bound: 120, values: costsOf(/^memory, threads/) },
  ].map((target) => ({ ...target, of: /** @type {const} */ ('every'), atMost: true })),
]

/** @param {Row[]} rows @returns {Verdict[]} in the order of the targets */
export function verdicts(rows) {
  return TARGETS.map(({ name, of, bound, atMost = false, print = digits, values }) => {
    const measured = values(rows)
    const target = `${name}, ${of === 'mean' ? 'geometric mean' : 'every row'} ${atMost ? 'at most' : 'at least'} ${print(bound)}`
    if (measured.length === 0) return { target, met: undefined, text: 'not measured' }
    const holds = (value) => (atMost ? value <= bound : value >= bound)
    if (of === 'mean') {
      const mean = Math.exp(measured.reduce((sum, [value]) => sum + Math.log(value), 0) / measured.length)
      return { target, met: holds(mean), text: `${print(mean)} over ${rowsText(measured.length)}` }
    }
    const sorted = measured.toSorted(([a], [b]) => (atMost ? b - a : a - b))
    const [value, row] = sorted[0]
    const rest = `${measured.filter(([each]) => holds(each)).length} of ${rowsText(measured.length)}`
    return { target, met: holds(value), text: `${print(value)} at ${row}; ${rest}` }
  })
}

/** @param {number} count */
const rowsText = (count) => (count === 1 ? '1 row' : `${count} rows`)

/** @param {Verdict} verdict @returns {string} */
export function verdictLine({ target, met, text }) {
  return `${met === undefined ? '–      ' : met ? 'met    ' : 'not met'}  ${target}: ${text}`
}
