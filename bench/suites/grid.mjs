/**
 * The suite `grid`: Recurra on its backends and numbers of threads against every peer, by kind of work. At each point,
 * which is a kind, a cell and a shape, all contenders take turns in one run; with trainings so does a product of the
 * machine's BLAS, whose speed is the machine's peak.
 */

import { inTurns } from '../measure.mjs'
import { PEERS, peersOf } from '../peers/list.mjs'
import { GRID_CELLS, GRID_SHAPES, INFER_SHAPES, STREAM_SHAPE, shapesOf } from '../workload.mjs'
import { reasonOf } from './core.mjs'
import { Contenders } from './grid-contenders.mjs'
import { runBuild, runMemory, runRagged } from './grid-own.mjs'
import { rowsOf } from './grid-rows.mjs'

/** @typedef {import('../workload.mjs').Work} Work */
/** @typedef {import('../options.mjs').Options} Options */
/** @typedef {import('./core.mjs').Report} Report */
/** @typedef {{ contender: import('../measure.mjs').Contender, flops: number }} Peak */

/** What `--kinds` chooses among. @type {Record<string, (options: Options, contenders: Contenders, report: Report) => Promise<void>>} */
const RUN = {
  train: (...args) => runPoints('train', ...args),
  infer: (...args) => runPoints('infer', ...args),
  stream: (...args) => runPoints('stream', ...args),
  ragged: runRagged,
  build: runBuild,
  memory: runMemory,
}

/**
 * @param {import('../workload.mjs').Kind} kind
 * @param {Pick<Options, 'shapes' | 'cells' | 'peers'>} options
 * @returns {{ work: Work, peers: string[] }[]} what is compared with which peers
 */
export function points(kind, { shapes, cells = GRID_CELLS, peers }) {
  const byKind = {
    train: shapesOf(shapes, GRID_SHAPES),
    infer: shapesOf(shapes, INFER_SHAPES),
    stream: [STREAM_SHAPE],
  }
  return cells
    .filter((cell) => kind === 'train' || cell === 'lstm')
    .flatMap((cell) =>
      byKind[kind].map((shape, index) => {
        const work = { kind, cell, shape }
        const wanted = (name) =>
          PEERS[name].does(work) && (shapes !== undefined || index === 0 || PEERS[name].everyShape)
        return { work, peers: peersOf('grid', peers).filter(wanted) }
      }),
    )
}

/**
 * @param {Options} options
 * @param {Map<string, string>} absent peers that cannot run here, with the reason
 * @param {Report} report
 * @returns {Promise<void>}
 */
export async function runGrid(options, absent, report) {
  for (const [name, reason] of absent) report.skipped(name, reason)
  const contenders = new Contenders(absent.keys(), report)
  for (const kind of options.kinds) await RUN[kind](options, contenders, report)
}

/**
 * @param {import('../workload.mjs').Kind} kind
 * @param {Options} options
 * @param {Contenders} contenders
 * @param {Report} report
 */
async function runPoints(kind, options, contenders, report) {
  const peak = kind === 'train' ? await peakOf(options.python, report) : undefined
  try {
    for (const { work, peers } of points(kind, options)) {
      if (peers.length === 0 && options.threads.length === 1) continue
      try {
        await contenders.during(async () => {
          const ours = await contenders.ours(work, options)
          const theirs = ours.length > 0 ? await contenders.peers(peers, work, options) : []
          if (ours.length + theirs.length < 2) return
          const all = [...ours, ...theirs]
          // The peak beside ours, so that both have the same moment of the machine.
          const times = await inTurns(peak ? [peak.contender, ...all] : all, options)
          for (const row of rowsOf(
            work,
            ours,
            theirs,
            times.slice(peak ? 1 : 0),
            peak && { flops: peak.flops, times: times[0] },
          ))
            report.row(row)
          for (const peer of theirs) {
            const warning = peer.warning?.()
            if (warning) report.warning(`${peer.name}, threads ${peer.threads}`, warning)
          }
        })
      } catch (error) {
        report.skipped(`${kind} ${work.cell}`, reasonOf(error))
      }
    }
  } finally {
    await peak?.contender.close()
  }
}

/** @param {string} python @param {Report} report @returns {Promise<Peak | undefined>} */
async function peakOf(python, report) {
  try {
    const { createSgemm } = await import('../peers/pytorch.mjs')
    return await createSgemm(python)
  } catch (error) {
    report.skipped("share of the machine's peak", reasonOf(error))
    return undefined
  }
}
