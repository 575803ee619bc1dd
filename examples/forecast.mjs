/**
 * Series: what a second feature and a network add to a forecast. NARMA10 is a system that is driven by u(t) and answers with
 * y(t + 1), which depends on products of the last ten of both. The next y is forecast from y alone (univariate) and from u and
 * y (multivariate), by the last value, by least squares and by a GRU. The training part comes first in time and alone decides
 * the scale.
 *
 *     npm run build && node examples/forecast.mjs
 */

import { adam, dense, fit, gru, predict, sequential } from 'recurra'
import {
  linearForecast,
  naiveForecast,
  narma10,
  sequences,
  splitInOrder,
  standardize,
  windows,
} from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const { steps, length, units, epochs, seed } = readOptions('Forecasts a series of one and of two features.', {
  steps: [3000, 'T of the series; the last fifth is held out'],
  length: [20, 'steps that a forecast looks back'],
  units: [32, 'H'],
  epochs: [15, 'times that all windows are seen'],
  seed: [1, 'of the series, weights and order'],
})

const { inputs: u, targets: y } = narma10({ steps: steps + 1, seed })
// y(t) is known when u(t) is given: the target of the step before.
const rows = Array.from({ length: steps }, (_, t) => [u.data[t + 1], y.data[t]])
const series = { univariate: rows.map(([, answer]) => [answer]), multivariate: rows }

/** @param {import('recurra').Tensor} forecast @param {import('recurra').Tensor} truth @returns in units of y */
const rmse = (forecast, truth) =>
  Math.sqrt(
    truth.data.reduce((sum, value, i) => sum + (forecast.data[i] - value) ** 2, 0) / truth.data.length,
  )

console.log(`RMSE of y(t + 1), held out${' '.repeat(6)}last value   least squares   GRU(${units})`)
for (const [name, values] of Object.entries(series)) {
  const target = values[0].length - 1
  const { train, validation } = splitInOrder(values, { validation: 0.2 })
  const scaler = standardize(train)
  const shape = { length, target: [target] }
  const [learnt, held] = [train, validation].map((part) => windows(scaler.transform(part), shape))

  const network = sequential([gru({ units }), dense({ units: 1 })])
  await fit(network, sequences(learnt.inputs, learnt.targets, { batch: 32, shuffle: true, seed }), {
    loss: 'meanSquaredError',
    optimizer: adam({ learningRate: 3e-3 }),
    clipGlobalNorm: 1,
    epochs,
    seed,
  })
  const inUnits = (forecast) => scaler.select([target]).inverse(forecast)
  const truth = inUnits(held.targets)
  const errors = [
    naiveForecast(held.inputs, { horizon: 1, target: [target] }),
    linearForecast(learnt).predict(held.inputs),
    await predict(network, held.inputs),
  ].map((forecast) => rmse(inUnits(forecast), truth).toFixed(4))
  console.log(`${name.padEnd(32)}${errors.map((error, i) => error.padStart([10, 16, 10][i])).join('')}`)
}
