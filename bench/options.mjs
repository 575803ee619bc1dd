/** The command line: what it may say, and what a run gets to know of it. */

import { parseArgs } from 'node:util'
import { PEERS } from './peers/list.mjs'
import { BACKENDS } from './recurra.mjs'
import { GRID_CELLS, parseShape, SHAPES, shapeName } from './workload.mjs'

/** @typedef {import('./workload.mjs').Shape} Shape */
/** @typedef {import('./recurra.mjs').Backend} Backend */

/**
 * @typedef {object} Options
 * @property {string[]} suites
 * @property {string[]} parts what of core, in this order
 * @property {string[]} kinds what of grid, in this order
 * @property {import('./workload.mjs').Cell[] | undefined} cells of grid; undefined: all
 * @property {Shape[] | 'all' | undefined} shapes all: those of the suite, with every peer; undefined: slow peers at the first
 * @property {string[]} peers names of peers
 * @property {Backend[] | undefined} backends ours; undefined: the suite's own choice
 * @property {number[]} threads ours, in grid
 * @property {number} rounds
 * @property {number} minMs the least length of half a round
 * @property {string} python
 * @property {string | undefined} json
 * @property {string | undefined} doc a Markdown file that has the markers of document.mjs
 */

/** An error in what the user typed: reported without a stack, exit code 2. */
export class UsageError extends Error {}

export const SUITES = ['core', 'grid']
export const PARTS = ['ratios', 'costs']
export const KINDS = ['train', 'infer', 'stream', 'ragged', 'build', 'memory']
const THREADS = ['1', '2', '3', '4', '6', '8', '12', '16']

export const HELP = `Usage: npm run bench -- [suite …] [options]

Times steps of Recurra and of its peers in turns, in one run; ratio = peer's time / ours, so more than 1 means that
Recurra is faster. Costs are what Recurra takes by itself, each against a bound. Peers are installed on first use.

Suites (default: all)
  core            a training step of one LSTM (forward, BPTT, clip by the global norm, Adam), all on one thread; costs:
                  how far its time is from a line in T and in B, its memory, compiling, a batch of a new size
  grid            cells, shapes, backends and numbers of threads, trained, run over whole sequences and step by step;
                  lengths that differ, builds, resident memory; at the end each target, met or not met

Options
  --json FILE     write the rows as JSON too; of grid a chart beside it, as FILE with .svg
  --doc FILE      grid: write the tables into this Markdown file, between its markers
  --only LIST     core: ${PARTS.join(', ')} (default: both)
  --kinds LIST    grid: ${KINDS.join(', ')} (default: all)
  --cells LIST    grid: ${GRID_CELLS.join(', ')} (default: all)
  --threads LIST  grid, ours: such as 1,2 (the default); PyTorch always has both, ONNX Runtime as many as ours
  --quick         fewer and shorter rounds: does it run, not how fast
  --shape LIST    such as ${shapeName(SHAPES[0])}, or all. Default: all of the suite, but the
                  slowest peers (${slow().join(', ')}) at the first alone
  --peers LIST    ${Object.keys(PEERS).join(', ')}
                  (default: all that the suite has)
  --backend LIST  ours: ${BACKENDS.join(', ')} (default: core ${BACKENDS[0]}, grid all)
  --rounds N      rounds of each comparison and of each line (default: 15; quick: 3)
  --python FILE   the Python that has PyTorch (default: /usr/bin/python3, Debian's)
  --help          this text

Lists are separated by commas. Exit code: 0, 1 if nothing could be measured, 2 for a wrong command.
`

/** @returns {string[]} */
function slow() {
  return Object.keys(PEERS).filter((name) => !PEERS[name].everyShape)
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

/** @param {string} text @returns {Shape[] | 'all'} @throws {UsageError} */
function readShapes(text) {
  if (text === 'all') return text
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
  /** @template {string} Name @param {string} what @param {string | undefined} text @param {readonly Name[]} known */
  const chosen = (what, text, known) => (text === undefined ? undefined : allKnown(what, list(text), known))
  return {
    suites: positionals.length ? allKnown('suite', [...new Set(positionals)], SUITES) : SUITES,
    parts: chosen('part', values.only, PARTS) ?? PARTS,
    kinds: chosen('kind', values.kinds, KINDS) ?? KINDS,
    cells: chosen('cell', values.cells, GRID_CELLS),
    shapes: values.shape === undefined ? undefined : readShapes(values.shape),
    peers: chosen('peer', values.peers, Object.keys(PEERS)) ?? Object.keys(PEERS),
    backends: chosen('backend', values.backend, BACKENDS),
    threads: (chosen('number of threads', values.threads, THREADS) ?? ['1', '2']).map(Number),
    rounds: values.rounds === undefined ? (values.quick ? 3 : 15) : readRounds(values.rounds),
    minMs: values.quick ? 20 : 100,
    python: values.python ?? '/usr/bin/python3',
    json: values.json,
    doc: values.doc,
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
        doc: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean' },
        kinds: { type: 'string' },
        cells: { type: 'string' },
        threads: { type: 'string' },
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
