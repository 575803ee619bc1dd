/** The ratios of the suite `core`: our built-in LSTM against every peer, and against the same LSTM written by a user. */

import { paired } from '../measure.mjs'
import { PEERS, peersOf } from '../peers/list.mjs'
import { BACKENDS, recurraContender } from '../recurra.mjs'
import { SHAPES, shapesOf } from '../workload.mjs'

/** @typedef {import('../workload.mjs').Shape} Shape */
/** @typedef {import('../measure.mjs').Contender} Contender */
/** @typedef {import('../options.mjs').Options} Options */

/**
 * One comparison: peerMs / ms = ratio up to the medians (see `paired`); backend, cell and threads are ours. In the suite
 * `grid` also: whether of the peer's numbers of threads this is its best, and of a training what our step computes in
 * 10⁹ operations a second and as a share of the machine's peak.
 *
 * @typedef {{ peer: string, backend: string, cell: string, T: number, B: number, I: number, H: number,
 *   threads: number, peerThreads: number, kind: import('../workload.mjs').Kind, ms: number, peerMs: number,
 *   ratio: number, best?: boolean, gflops?: number, share?: number }} Ratio
 */

/**
 * @typedef {object} Report where a run's results go as they come
 * @property {(row: import('../table.mjs').Row) => void} row
 * @property {(name: string, reason: string) => void} skipped
 * @property {(name: string, text: string) => void} warning
 */

/** @param {unknown} error @returns {string} one line */
export function reasonOf(error) {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}

/**
 * @param {Options} options
 * @returns {{ shape: Shape, peers: string[] }[]} what is compared at which shape
 */
export function plan({ shapes, peers: chosen }) {
  const peers = peersOf('core', chosen)
  if (shapes) return shapesOf(shapes, SHAPES).map((shape) => ({ shape, peers }))
  const long = peers.filter((name) => PEERS[name].everyShape)
  return SHAPES.map((shape, index) => ({ shape, peers: index === 0 ? peers : long })).filter(
    (part) => part.peers.length > 0,
  )
}

/**
 * Times two contenders, whichever they are, and closes the second.
 *
 * @param {Contender} ours
 * @param {Contender} peer
 * @param {{ cell: string, shape: Shape, rounds: number, minMs: number, report: Report }} options
 * @returns {Promise<void>}
 */
export async function compare(ours, peer, { cell, shape, rounds, minMs, report }) {
  try {
    const timing = await paired(ours, peer, { rounds, minMs })
    const { backend, threads } = ours
    report.row({
      peer: peer.name,
      backend,
      cell,
      ...shape,
      threads,
      peerThreads: peer.threads,
      kind: 'train',
      ...timing,
    })
    const warning = peer.warning?.()
    if (warning) report.warning(peer.name, warning)
  } finally {
    await peer.close()
  }
}

/**
 * @param {Options} options
 * @param {Map<string, string>} absent peers that cannot run here, with the reason
 * @param {Report} report
 * @returns {Promise<void>}
 */
export async function runRatios(options, absent, report) {
  const { backends = [BACKENDS[0]], python, rounds, minMs } = options
  for (const [name, reason] of absent) report.skipped(name, reason)
  for (const backend of backends) {
    const failed = new Set(absent.keys())
    for (const { shape, peers } of plan(options)) {
      const ours = await createOurs(shape, backend, report)
      if (!ours) break // what keeps a backend from running keeps it from every shape
      try {
        for (const name of peers) {
          if (failed.has(name)) continue
          try {
            const peer = await PEERS[name].create(
              { kind: 'train', cell: 'lstm', shape },
              { backend, threads: 1, python },
            )
            await compare(ours, { ...peer, name }, { cell: 'lstm', shape, rounds, minMs, report })
          } catch (error) {
            // Not tried again: a peer that does not start for one shape starts for none.
            failed.add(name)
            report.skipped(name, reasonOf(error))
          }
        }
      } finally {
        await ours.close()
      }
    }
  }
}

/**
 * @param {Shape} shape
 * @param {import('../recurra.mjs').Backend} backend
 * @param {Report} report
 * @returns {Promise<Contender | undefined>} having trained one step, so that a later failure is the peer's
 */
async function createOurs(shape, backend, report) {
  try {
    return await recurraContender({ kind: 'train', cell: 'lstm', shape }, { backend })
  } catch (error) {
    report.skipped('recurra', reasonOf(error))
    return undefined
  }
}
