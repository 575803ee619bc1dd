/** The study of gradients through time: what it measures, and how it says so. */

import { fit, predict, sgd } from 'recurra'
import { gradientFlow } from 'recurra/inspect'
import { batchOf, CAP, INPUTS, modelOf, NETS, netOf, statesOf } from './nets.mjs'
import { svgOf } from './plot.mjs'

/** @typedef {import('./options.mjs').Options} Options */
/** @typedef {import('./nets.mjs').Net} Net */

/**
 * @typedef {object} Flow
 * @property {string} net
 * @property {string} state
 * @property {number} radius
 * @property {readonly number[]} norms ‖∂L/∂s(t)‖ by lag T − t, the mean over rows
 */

const loss = 'meanSquaredError'

/** @param {number} value @returns {string} */
const short = (value) =>
  !Number.isFinite(value)
    ? 'overflow'
    : value === 0
      ? '0'
      : value >= 0.01 && value < 1e4
        ? value.toPrecision(3)
        : value.toExponential(1)
/** @param {number} share @returns {string} */
const percent = (share) => `${Math.round(100 * share)}%`

/** @param {readonly (readonly string[])[]} rows the first one is the heading @returns {string} */
function tableOf(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}

/**
 * @param {Options} options
 * @param {(text: string) => void} say
 * @returns {Promise<Record<string, string>>} files by name
 */
export async function gradients(options, say) {
  const { units, steps, rows, radii, seed } = options
  say(
    `H = ${units} units, T = ${steps} steps, ${rows} rows, ${INPUTS} inputs, seed ${seed}; weights as they begin`,
  )
  const flows = await measureFlows(options)
  for (const radius of radii) say(`\n${flowTable(flows, radius, steps)}`)
  say(`\n${await truncation(options)}`)
  say(`\n${await deadUnits(options)}`)
  say(`\n${await overflow(options)}`)
  say(`\n${await clipping(options)}`)
  say(`\n${sharing(options)}`)
  return { 'gradients.csv': csvOf(flows), 'gradients.svg': plotOf(flows, options) }
}

/** @param {Options} options @returns {Promise<Flow[]>} */
async function measureFlows({ units, steps, rows, radii, seed }) {
  const batch = batchOf({ rows, steps, seed })
  /** @type {Flow[]} */
  const flows = []
  for (const radius of radii) {
    for (const net of NETS) {
      const { states } = await gradientFlow(modelOf(net, { units, radius, seed }), batch, { loss })
      for (const [path, { mean }] of Object.entries(states)) {
        const state = path.slice(path.indexOf('/') + 1)
        flows.push({ net: net.name, state, radius, norms: Array.from(mean.data).reverse() })
      }
    }
  }
  return flows
}

/** @param {Flow} flow @returns {number[]} */
const relative = ({ norms }) => norms.map((norm) => norm / norms[0])

/** @param {Flow} flow @param {readonly Flow[]} all @returns {string} */
function nameOf({ net, state }, all) {
  return all.some((other) => other.net === net && other.state !== state) ? `${net}: ${state}` : net
}

/** @param {readonly Flow[]} all @param {number} radius @param {number} steps @returns {string} */
function flowTable(all, radius, steps) {
  const lags = [...new Set([1, 2, 5, 10, 20, 50, 100, 200, 500].filter((lag) => lag < steps - 1)), steps - 1]
  const own = all.filter((flow) => flow.radius === radius)
  const body = own.map((flow) => {
    const ratios = relative(flow)
    const factor = ratios[steps - 1] ** (1 / (steps - 1))
    return [nameOf(flow, own), ...lags.map((lag) => short(ratios[lag])), `× ${short(factor)}`]
  })
  return (
    `‖∂L/∂s(t)‖ / ‖∂L/∂s(T)‖ by the lag T − t, spectral radius ${radius} (0: no path, or less than f32 holds)\n` +
    tableOf([['lag', ...lags.map(String), 'a step'], ...body])
  )
}

/** @param {Options} options @returns {Promise<string>} */
async function truncation({ units, steps, rows, radii, seed, truncate }) {
  const model = modelOf(netOf('Elman, tanh'), { units, radius: radii[0], seed })
  const batch = batchOf({ rows, steps, seed })
  const norms = async (more = {}) => {
    const { states } = await gradientFlow(model, batch, { loss, ...more })
    return Array.from(states['net/h'].mean.data).reverse()
  }
  const [whole, cut] = [await norms(), await norms({ truncate })]
  const lags = [...new Set([0, 1, truncate - 1, truncate, steps - 1])].sort((a, b) => a - b)
  const before = Math.max(
    ...cut.slice(0, truncate).map((norm, lag) => Math.abs(norm - whole[lag]) / (whole[lag] || 1)),
  )
  const beyond = Math.max(...cut.slice(truncate))
  return (
    `Truncation: ‖∂L/∂h(t)‖ of Elman, tanh, radius ${radii[0]}, with k2 = ${truncate}. Up to lag ${truncate - 1} it differs by at most\n` +
    `${short(before)} of what it is without; the largest beyond is ${short(beyond)}\n` +
    tableOf([
      ['lag', ...lags.map(String)],
      ['all the way', ...lags.map((lag) => short(whole[lag]))],
      ['truncated', ...lags.map((lag) => short(cut[lag]))],
    ])
  )
}

/**
 * Units that are never above 0, or never below the cap, on other data than they were trained on: their gradient is 0 at
 * every step of every row.
 *
 * @param {Options} options
 * @returns {Promise<string>}
 */
async function deadUnits({ units, steps, rows, radii, seed }) {
  const [updates, rates, radius] = [50, [0.1, 1, 3], radii[0]]
  const batch = batchOf({ rows, steps, seed })
  const others = batchOf({ rows: 4 * rows, steps, seed: seed + 1 })
  const names = ['Elman, ReLU', 'Elman, clipped ReLU', 'Elman, ReLU, identity']
  const body = names.map(async (name) => {
    const net = netOf(name)
    const cells = []
    for (const learningRate of [0, ...rates]) {
      const model = modelOf(net, { units, radius, seed })
      try {
        if (learningRate > 0) {
          const optimizer = sgd({ learningRate })
          await fit(model, [batch], { loss, optimizer, clipGlobalNorm: 1, epochs: updates })
        }
        const { data } = await predict(statesOf(net, model, units), others.inputs)
        cells.push(sharesOf(data, units, name.includes('clipped') ? CAP : Number.POSITIVE_INFINITY))
      } catch (error) {
        if (error.code !== 'not-finite') throw error
        cells.push('overflows')
      }
    }
    return [name, ...cells]
  })
  return (
    `Dead units, and how many of all numbers h are above 0; radius ${radius}, gradients clipped to norm 1.\n` +
    `Dead: 0 at every step of ${4 * rows} rows of other data (clipped: or at ${CAP}), so that no gradient reaches its weights\n` +
    tableOf([
      ['', 'at first', ...rates.map((rate) => `${updates} updates at ${rate}`)],
      ...(await Promise.all(body)),
    ])
  )
}

/** @param {Float32Array} h [B, T, H] @param {number} units @param {number} cap @returns {string} */
function sharesOf(h, units, cap) {
  const dead = Array.from({ length: units }, (_, unit) => {
    const own = h.filter((_, i) => i % units === unit)
    return own.every((value) => value <= 0) || own.every((value) => value >= cap)
  })
  const isOn = h.reduce((sum, value) => sum + Number(value > 0), 0)
  return `${percent(dead.filter(Boolean).length / units)} dead, ${percent(isOn / h.length)} on`
}

/** @param {Options} options @returns {Promise<string>} */
async function overflow({ units, rows, seed }) {
  const [radius, steps] = [4, 100]
  const model = modelOf(netOf('Elman, ReLU'), { units, radius, seed })
  try {
    await fit(model, [batchOf({ rows, steps, seed })], { loss, optimizer: sgd(), epochs: 1 })
  } catch (error) {
    return `Overflow: Elman, ReLU, radius ${radius}, over ${steps} steps\n${wrapped(error.message)}`
  }
  return `Overflow: Elman, ReLU, radius ${radius}, over ${steps} steps: none`
}

/** @param {string} text @returns {string} sentences, one a line */
const wrapped = (text) => text.replaceAll(/(?<=[.:]) (?=[A-Z]|the loss)/g, '\n').replaceAll(/^/gm, '  ')

/** @param {Options} options @returns {Promise<string>} */
async function clipping({ units, steps, rows, seed }) {
  const [radius, learningRate, updates, T] = [2, 0.01, 3, Math.min(30, steps)]
  const batch = batchOf({ rows, steps: T, seed })
  const body = []
  for (const clipGlobalNorm of [undefined, 1]) {
    const model = modelOf(netOf('Elman, ReLU'), { units, radius, seed })
    for (let update = 1; update <= updates; update++) {
      const before = model.weights()
      const label = clipGlobalNorm === undefined ? 'without' : `clipGlobalNorm ${clipGlobalNorm}`
      try {
        const { step, after } = await descend(model, batch, { learningRate, clipGlobalNorm })
        const moved = Math.hypot(
          ...[...after].map(([path, { data }]) => distance(data, before.get(path).data)),
        )
        body.push([label, String(update), ...[step.loss, step.gradientNorm, moved / learningRate].map(short)])
      } catch (error) {
        if (error.code !== 'not-finite') throw error
        body.push([label, String(update), 'not finite', '', ''])
        break
      }
    }
  }
  return (
    `Clipping: Elman, ReLU, radius ${radius}, over ${T} steps, descent at ${learningRate}\n` +
    tableOf([['', 'update', 'loss', '‖g‖ before', 'after'], ...body])
  )
}

/** One update. */
async function descend(model, batch, { learningRate, clipGlobalNorm }) {
  let step
  const run = fit(model, [batch], { loss, optimizer: sgd({ learningRate }), clipGlobalNorm, epochs: 1 })
  for await (const event of run) if (event.kind === 'step') step = event
  return { step, after: model.weights() }
}

/** @param {Float32Array} a @param {Float32Array} b @returns {number} */
const distance = (a, b) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0))

/** @param {Options} options @returns {string} */
function sharing({ units, radii, seed }) {
  const lengths = [1, 10, 100, 1000]
  const body = ['Elman, tanh', 'GRU', 'LSTM'].map((name) => {
    const { params } = modelOf(netOf(name), { units, radius: radii[0], seed }).built
    const count = [...params.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0)
    return [name, String(count), ...lengths.map((T) => String(T * count))]
  })
  return (
    `Parameters: one set for all steps, or one for each. I = ${INPUTS}, H = ${units}, O = 1, G = 1 (Elman), 3 (GRU), 4 (LSTM):\n` +
    '  shared   G (I H + H² + b) + H O + O, whatever T is (b: H, in a GRU 2 H)\n' +
    '  unshared T times that, and a step that no training sequence reached has learnt nothing\n' +
    tableOf([['', 'shared', ...lengths.map((T) => `T = ${T}`)], ...body])
  )
}

/** @param {readonly Flow[]} flows @returns {string} */
function csvOf(flows) {
  const lines = flows.flatMap(({ net, state, radius, norms }) =>
    norms.map((norm, lag) => [`"${net}"`, state, radius, lag, norm].join(',')),
  )
  return `${['net,state,radius,lag,norm', ...lines].join('\n')}\n`
}

/** @param {readonly Flow[]} flows @param {Options} options @returns {string} */
function plotOf(flows, { radii, units, steps }) {
  const panels = radii.map((radius) => {
    const own = flows.filter((flow) => flow.radius === radius)
    const lines = own.map((flow) => ({
      name: nameOf(flow, own),
      color: NETS.findIndex(({ name }) => name === flow.net),
      dashed: flow.state !== 'h',
      values: relative(flow),
    }))
    return { title: `spectral radius ${radius}`, lines }
  })
  return svgOf({
    title: `How far back a gradient reaches (H = ${units}, T = ${steps})`,
    x: 'lag T − t',
    y: '‖∂L/∂s(t)‖ / ‖∂L/∂s(T)‖',
    panels,
  })
}
