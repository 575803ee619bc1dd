/** Opens contenders, says once which do not start, and closes them after their point. */

import { PEERS } from '../peers/list.mjs'
import { recurraContender } from '../recurra.mjs'
import { reasonOf } from './core.mjs'

/** @typedef {import('../workload.mjs').Work} Work */
/** @typedef {import('../measure.mjs').Contender} Contender */
/** @typedef {import('../options.mjs').Options} Options */

/** @type {readonly import('../recurra.mjs').Backend[]} of the suite `grid`, unless others are chosen */
export const GRID_BACKENDS = ['native', 'wasm']

const threadsText = (count) => (count === 1 ? '1 thread' : `${count} threads`)

export class Contenders {
  /** @type {Set<string>} what did not start is not tried again */
  #failed
  #report
  /** @type {Contender[]} */
  #open = []

  /** @param {Iterable<string>} absent names of peers that cannot run here @param {import('./core.mjs').Report} report */
  constructor(absent, report) {
    this.#failed = new Set(absent)
    this.#report = report
  }

  /** @param {() => Promise<void>} point what it opens is closed behind it */
  async during(point) {
    try {
      await point()
    } finally {
      for (const contender of this.#open.splice(0)) await contender.close()
    }
  }

  /** @param {Work} work @param {Options} options @returns {Promise<Contender[]>} by backend and number of threads */
  ours(work, { backends = GRID_BACKENDS, threads }) {
    const settings = backends.flatMap((backend) => threads.map((count) => ({ backend, threads: count })))
    return this.#all(
      settings.map((setting) => ({
        key: `${work.kind}, recurra ${setting.backend} on ${threadsText(setting.threads)}`,
        create: () => recurraContender(work, setting),
      })),
    )
  }

  /** @param {string[]} names @param {Work} work @param {Options} options @returns {Promise<Contender[]>} */
  async peers(names, work, { threads: ours, python }) {
    const opened = []
    for (const name of names.filter((each) => !this.#failed.has(each))) {
      const { threads, create } = PEERS[name]
      const counts = threads === 'ours' ? ours : threads
      const ofName = counts.map((count) => ({
        key: counts.length > 1 ? `${name} on ${threadsText(count)}` : name,
        create: async () => ({
          ...(await create(work, { backend: 'native', threads: count, python })),
          name,
        }),
      }))
      opened.push(...(await this.#all(ofName)))
    }
    return opened
  }

  /** @param {{ key: string, create: () => Promise<Contender> }[]} wanted @returns {Promise<Contender[]>} those that start */
  async #all(wanted) {
    const opened = []
    for (const { key, create } of wanted.filter((each) => !this.#failed.has(each.key))) {
      try {
        const contender = await create()
        this.#open.push(contender)
        opened.push(contender)
      } catch (error) {
        this.#failed.add(key)
        this.#report.skipped(key, reasonOf(error))
      }
    }
    return opened
  }
}
