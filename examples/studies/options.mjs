/** The command line of the studies. */

import { parseArgs } from 'node:util'

/**
 * @typedef {object} Options
 * @property {number} units H
 * @property {number} steps T
 * @property {number[]} radii spectral radii of W
 * @property {number} rows B
 * @property {number} truncate k2
 * @property {number} seed
 * @property {string} out the folder for files
 */

/** An error in what the user typed: reported without a stack, exit code 2. */
export class UsageError extends Error {}

const STUDIES = ['gradients']

export const HELP = `Usage: npm run study -- gradients [options]

gradients: how far back in time a gradient reaches. Measures ‖∂L/∂s(t)‖ of the last step's loss against the lag T − t for
Elman networks (tanh, sigmoid, ReLU, clipped ReLU, ReLU from the identity), LSTM and GRU, with random weights W scaled to
a spectral radius; then dead ReLU units, where an exploding network first overflows, what clipping and truncation do,
and how many parameters sharing them over time saves. Prints tables; writes gradients.csv and gradients.svg.

Options
  --units N      H, at least 2 (default: 32)
  --steps T      time steps, at least 4 (default: 50)
  --radius LIST  spectral radii of W, up to 4 numbers above 0, separated by commas (default: 0.9,1.5)
  --rows B       sequences in a batch (default: 16)
  --truncate K   k2, steps that a truncated gradient goes back, below T (default: half of T)
  --seed S       of weights and data (default: 1)
  --out FOLDER   where files go (default: out)
  --help         this text

Exit code: 0, 2 for a wrong command.
`

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} fallback
 * @param {number} least
 * @param {number} [most]
 * @returns {number}
 * @throws {UsageError}
 */
function whole(name, text, fallback, least, most = Number.MAX_SAFE_INTEGER) {
  if (text === undefined) return fallback
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new UsageError(`--${name}: expected a whole number ${range}; received '${text}'`)
}

/** @param {string} text @returns {number[]} @throws {UsageError} */
function radii(text) {
  const parts = text.split(',')
  const values = [...new Set(parts.map(Number))]
  const fits = values.length <= 4 && parts.every((part) => part.trim() !== '')
  if (fits && values.every((value) => Number.isFinite(value) && value > 0)) return values
  throw new UsageError(`--radius: expected up to 4 numbers above 0, separated by commas; received '${text}'`)
}

/**
 * @param {string[]} args
 * @returns {Options | 'help'}
 * @throws {UsageError}
 */
export function readOptions(args) {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  const [study, ...more] = positionals
  if (study === undefined) throw new UsageError(`expected the name of a study: ${STUDIES.join(', ')}`)
  const odd = STUDIES.includes(study) ? more[0] : study
  if (odd !== undefined) throw new UsageError(`unknown study '${odd}': expected ${STUDIES.join(', ')}`)
  const steps = whole('steps', values.steps, 50, 4)
  return {
    units: whole('units', values.units, 32, 2),
    steps,
    radii: radii(values.radius ?? '0.9,1.5'),
    rows: whole('rows', values.rows, 16, 1),
    truncate: whole('truncate', values.truncate, Math.floor(steps / 2), 1, steps - 1),
    seed: whole('seed', values.seed, 1, 0),
    out: values.out ?? 'out',
  }
}

/** @param {string[]} args @throws {UsageError} */
function parse(args) {
  const text = /** @type {const} */ ({ type: 'string' })
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...{ units: text, steps: text, radius: text, rows: text, truncate: text, seed: text, out: text },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
