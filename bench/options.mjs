/** The command line: what it may say, and what a run gets to know of it. */

import { parseArgs } from 'node:util'
import { PEERS } from './peers/list.mjs'
import { BACKENDS } from './recurra.mjs'
import { parseShape, SHAPES, shapeName } from './workload.mjs'

/** @typedef {import('./workload.mjs').Shape} Shape */
/** @typedef {import('./recurra.mjs').Backend} Backend */

/**
 * @typedef {object} Options
 * @property {string[]} suites
 * @property {string[]} parts what of them, in this order
 * @property {Shape[] | undefined} shapes undefined: the suite's own choice of shapes and peers
 * @property {string[]} peers names of peers
 * @property {Backend[]} backends ours
 * @property {number} rounds
 * @property {number} minMs the least length of half a round
 * @property {string} python
 * @property {string | undefined} json
 */

/** An error in what the user typed: reported without a stack, exit code 2. */
export class UsageError extends Error {}

export const SUITES = ['core']
export const PARTS = ['ratios', 'costs']

export const HELP = `Usage: npm run bench -- [suite …] [options]

Ratios: times one training step of Recurra and of its peers in turns, in one run; ratio = peer's time /
ours, so more than 1 means that Recurra is faster. All on one thread. Peers are installed on first use.
Costs: what Recurra's step costs by itself, each against a bound: how far its time is from a line in T and
in B, its memory, compiling in a fresh process, a batch of a new size.

Suites (default: all)
  core            single-layer LSTM classifier: forward, BPTT, clip by the global norm, Adam; compiling and
                  new sizes: a language model of two LSTMs

Options
  --json FILE     write the rows as JSON too
  --only LIST     ${PARTS.join(', ')} (default: both)
  --quick         fewer and shorter rounds: does it run, not how fast
  --shape LIST    ${SHAPES.map(shapeName).join(', ')},
                  any other of this form, or all. Default: the first with every peer, the rest with
                  ${everyShape().join(', ')} only, because TensorFlow.js takes long
  --peers LIST    ${Object.keys(PEERS).join(', ')} (default: all)
  --backend LIST  ours: ${BACKENDS.join(', ')} (default: ${BACKENDS[0]})
  --rounds N      rounds of each comparison and of each line (default: 15; quick: 3)
  --python FILE   the Python that has PyTorch (default: /usr/bin/python3, Debian's)
  --help          this text

Lists are separated by commas. Exit code: 0, 1 if nothing could be measured, 2 for a wrong command.
`

/** @returns {string[]} */
function everyShape() {
  return Object.keys(PEERS).filter((name) => PEERS[name].everyShape)
}

/** @param {string} text @returns {string[]} */
function list(text) {
  return [...new Set(text.split(',').map((part) => part.trim()))]
}

/**
 * @template {string} Name
 * @param {string} what
 * @param {readonly string[]} names
 * @param {readonly Name[]} known
 * @returns {Name[]}
 * @throws {UsageError} if a name is not known
 */
function allKnown(what, names, known) {
  return names.map((name) => {
    const found = known.find((candidate) => candidate === name)
    if (found === undefined) throw new UsageError(`unknown ${what} '${name}': expected ${known.join(', ')}`)
    return found
  })
}

/** @param {string} text @returns {Shape[]} @throws {UsageError} */
function readShapes(text) {
  if (text === 'all') return SHAPES
  return list(text).map((part) => {
    const shape = parseShape(part)
    if (!shape)
      throw new UsageError(`unknown shape '${part}': expected one such as ${shapeName(SHAPES[0])}, or all`)
    return shape
  })
}

/** @param {string} text @returns {number} @throws {UsageError} */
function readRounds(text) {
  const rounds = Number(text)
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UsageError(`--rounds: expected a whole number of at least 1, received '${text}'`)
  }
  return rounds
}

/**
 * @param {string[]} args
 * @returns {Options | 'help'}
 * @throws {UsageError}
 */
export function readOptions(args) {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  return {
    suites: positionals.length ? allKnown('suite', [...new Set(positionals)], SUITES) : SUITES,
    parts: values.only === undefined ? PARTS : allKnown('part', list(values.only), PARTS),
    shapes: values.shape === undefined ? undefined : readShapes(values.shape),
    peers:
      values.peers === undefined
        ? Object.keys(PEERS)
        : allKnown('peer', list(values.peers), Object.keys(PEERS)),
    backends:
      values.backend === undefined ? [BACKENDS[0]] : allKnown('backend', list(values.backend), BACKENDS),
    rounds: values.rounds === undefined ? (values.quick ? 3 : 15) : readRounds(values.rounds),
    minMs: values.quick ? 20 : 100,
    python: values.python ?? '/usr/bin/python3',
    json: values.json,
  }
}

/** @param {string[]} args @throws {UsageError} */
function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean' },
        shape: { type: 'string' },
        peers: { type: 'string' },
        backend: { type: 'string' },
        rounds: { type: 'string' },
        python: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
