/** Times by contender and round become rows: ours, one by one, against each peer. */

import { median, timing } from '../measure.mjs'
import { PEERS } from '../peers/list.mjs'
import { flopsOf } from '../workload.mjs'

/** @typedef {import('../measure.mjs').Contender} Contender */
/** @typedef {import('./core.mjs').Ratio} Ratio */
/** @typedef {{ flops: number, times: number[] }} Peak a product of the machine's BLAS, in the same rounds */

/**
 * @param {import('../workload.mjs').Work} work
 * @param {Contender[]} ours
 * @param {Contender[]} peers
 * @param {number[][]} times by contender and round: ours, then the peers
 * @param {Peak} [peak]
 * @returns {Ratio[]}
 */
export function rowsOf(work, ours, peers, times, peak) {
  const all = [...ours, ...peers]
  const timesOf = (contender) => times[all.indexOf(contender)]
  return ours.flatMap((contender) => {
    const mine = timesOf(contender)
    const speed = work.kind === 'train' ? speedOf(flopsOf(work), mine, peak) : {}
    const row = (peer, name) => {
      const { backend, threads } = contender
      const about = {
        peer: name,
        backend,
        cell: work.cell,
        ...work.shape,
        threads,
        peerThreads: peer.threads,
      }
      return { ...about, kind: work.kind, ...timing(mine, timesOf(peer)), best: true, ...speed }
    }
    const alone = ours.filter(
      (other) => contender.threads > 1 && other.backend === contender.backend && other.threads === 1,
    )
    const comparable = peers.filter(
      ({ name, threads }) => PEERS[name].threads !== 'ours' || threads === contender.threads,
    )
    return [
      ...bestOfEach(comparable.map((peer) => row(peer, peer.name))),
      ...alone.map((other) => row(other, 'recurra')),
    ]
  })
}

/** @param {Ratio[]} rows of one of ours @returns {Ratio[]} best where the peer has no faster number of threads */
function bestOfEach(rows) {
  return rows.map((row) => ({
    ...row,
    best: rows.every(({ peer, peerMs }) => peer !== row.peer || peerMs >= row.peerMs),
  }))
}

/**
 * @param {number} flops of a step
 * @param {number[]} mine
 * @param {Peak} [peak]
 * @returns {{ gflops: number, share?: number }}
 */
function speedOf(flops, mine, peak) {
  const gflops = flops / median(mine) / 1e6
  if (peak === undefined) return { gflops }
  const shares = mine.map((ms, round) => flops / ms / (peak.flops / peak.times[round]))
  return { gflops, share: median(shares) }
}
