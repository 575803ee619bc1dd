/**
 * The peers, by the names that rows and `--peers` use. What a peer needs is imported when it is created, so
 * that one which is not installed is skipped and the others run.
 */

/** @typedef {import('../workload.mjs').Work} Work */
/** @typedef {import('../measure.mjs').Contender} Contender */
/** @typedef {{ backend: import('../recurra.mjs').Backend, threads: number, python: string }} Setting */

/**
 * @typedef {object} Peer
 * @property {('core' | 'grid')[]} suites that it is part of
 * @property {boolean} installed whether it comes from this package's dependencies
 * @property {boolean} everyShape false: by default only the first shape, because it takes long
 * @property {number[] | 'ours'} threads that it is measured on; ours: each of ours against as many of its own
 * @property {(work: Work) => boolean} does whether it can do such work
 * @property {(work: Work, setting: Setting) => Promise<Contender>} create
 */

const BUILT_IN = ['lstm', 'gru', 'elman']

/** @param {Work} work */
const trainsBuiltIn = ({ kind, cell }) => kind === 'train' && BUILT_IN.includes(cell)

/** @param {'layers' | 'tuned'} form @param {'wasm' | 'cpu'} backend @param {Peer['suites']} suites @returns {Peer} */
function tfjs(form, backend, suites) {
  return {
    suites,
    installed: true,
    everyShape: false,
    threads: [1],
    does: (work) => trainsBuiltIn(work) && (form === 'layers' || work.cell === 'lstm'),
    create: async (work) => (await import('./tfjs.mjs')).createTfjs(form, backend, work),
  }
}

/** @type {Record<string, Peer>} */
export const PEERS = {
  pytorch: {
    suites: ['core', 'grid'],
    installed: false,
    everyShape: true,
    threads: [1, 2],
    does: ({ kind }) => kind === 'train',
    create: async (work, setting) => (await import('./pytorch.mjs')).createPytorch(work, setting),
  },
  'recurra-defineCell': {
    suites: ['core'],
    installed: false,
    everyShape: false,
    threads: [1],
    does: ({ kind, cell }) => kind === 'train' && cell === 'lstm',
    create: async (work, setting) =>
      (await import('../recurra.mjs')).recurraContender({ ...work, cell: 'userLstm' }, setting),
  },
  'tfjs-wasm': tfjs('layers', 'wasm', ['core', 'grid']),
  'tfjs-wasm-tuned': tfjs('tuned', 'wasm', ['core']),
  'tfjs-cpu': tfjs('layers', 'cpu', ['grid']),
  'jax-js': {
    suites: ['grid'],
    installed: true,
    everyShape: true,
    threads: [1],
    does: trainsBuiltIn,
    create: async (work) => (await import('./jax.mjs')).createJax(work),
  },
  onnxruntime: {
    suites: ['grid'],
    installed: true,
    everyShape: true,
    threads: 'ours',
    does: ({ kind, cell }) => kind !== 'train' && cell === 'lstm',
    create: async (work, { threads }) => (await import('./onnx.mjs')).createOnnx(work, threads),
  },
  'brain.js': {
    suites: ['grid'],
    installed: false,
    everyShape: false,
    threads: [1],
    does: trainsBuiltIn,
    create: async () => {
      throw new Error(
        'nothing to compare: it trains one sequence at a time, by its own update instead of Adam, and clips each number by itself',
      )
    },
  },
}

/** @param {'core' | 'grid'} suite @param {string[]} names @returns {string[]} those of them that the suite has */
export function peersOf(suite, names) {
  return names.filter((name) => PEERS[name].suites.includes(suite))
}
