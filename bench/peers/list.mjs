/**
 * The peers, by the names that rows and `--peers` use. What a peer needs is imported when it is created, so
 * that one which is not installed is skipped and the others run.
 */

/** @typedef {import('../workload.mjs').Shape} Shape */
/** @typedef {import('../measure.mjs').Contender} Contender */

/**
 * @typedef {object} Peer
 * @property {boolean} installed whether it comes from this package's dependencies
 * @property {boolean} everyShape false: by default only the first shape, because it takes long
 * @property {(shape: Shape, options: { backend: import('../recurra.mjs').Backend, python: string }) => Promise<Contender>} create
 */

/** @param {'layers' | 'tuned'} form @returns {Peer} */
function tfjs(form) {
  return {
    installed: true,
    everyShape: false,
    create: async (shape) => (await import('./tfjs.mjs')).createTfjs(form, shape),
  }
}

/** @type {Record<string, Peer>} */
export const PEERS = {
  pytorch: {
    installed: false,
    everyShape: true,
    create: async (shape, { python }) => (await import('./pytorch.mjs')).createPytorch(shape, python),
  },
  'recurra-defineCell': {
    installed: false,
    everyShape: false,
    create: async (shape, { backend }) =>
      (await import('../recurra.mjs')).recurraContender('userLstm', shape, backend),
  },
  'tfjs-wasm': tfjs('layers'),
  'tfjs-wasm-tuned': tfjs('tuned'),
}
