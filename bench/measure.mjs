/**
 * Times contenders against each other in one run.
 *
 * They take turns (A B A B …) in rounds that are long against the clock and short against the machine's
 * moods, and each round gives one ratio; so whatever slows the machine for a while slows both sides of a
 * ratio. What is reported are medians.
 */

import { setTimeout } from 'node:timers/promises'

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} backend what executes it, such as wasm or native
 * @property {number} threads
 * @property {(n: number) => Promise<number>} step trains n steps; gives milliseconds a step
 * @property {() => string | undefined} [warning] after the rounds: why the times may not mean what they say
 * @property {() => void | Promise<void>} close gives back what it holds
 */

/** @typedef {{ ms: number, peerMs: number, ratio: number }} Timing milliseconds a step; ratio = peer / ours */

const WARM_UP_MS = 300
/** Threads that wait for work spin for a while before they sleep, which would slow whoever is next. */
const FALL_ASLEEP_MS = 50

/** @param {readonly number[]} values at least one @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * A contender that runs inside this process.
 *
 * @param {{ name: string, backend: string, threads: number }} about
 * @param {{ step(): void | Promise<void>, close(): void | Promise<void> }} trainer `step` trains one step
 * @returns {Contender}
 */
export function inProcess(about, trainer) {
  return {
    ...about,
    async step(n) {
      const start = performance.now()
      for (let i = 0; i < n; i++) {
        const pending = trainer.step()
        // Awaiting what is no promise would still cost a turn of the microtask queue.
        if (pending) await pending
      }
      return (performance.now() - start) / n
    },
    close: () => trainer.close(),
  }
}

/**
 * Runs a contender until engine and caches have settled.
 *
 * @param {Contender} contender
 * @param {number} minMs
 * @returns {Promise<number>} the steps that a round of at least minMs takes
 */
export async function warmUp(contender, minMs) {
  let n = 1
  let ms = await contender.step(n)
  for (let spent = ms; spent < WARM_UP_MS || n * ms < minMs; ) {
    n = Math.min(Math.max(1, Math.ceil(minMs / ms)), 2 * n)
    ms = await contender.step(n)
    spent += n * ms
  }
  return Math.max(1, Math.ceil(minMs / ms))
}

/**
 * Times contenders in turns (A B C A B C …), each until it has settled beforehand.
 *
 * @param {readonly Contender[]} contenders
 * @param {{ rounds: number, minMs: number }} options rounds ≥ 1; minMs: the least length of one turn
 * @returns {Promise<number[][]>} milliseconds a step, by contender and round
 */
export async function inTurns(contenders, { rounds, minMs }) {
  const steps = []
  for (const contender of contenders) steps.push(await warmUp(contender, minMs))
  /** @type {number[][]} */
  const times = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      times[i].push(await contender.step(steps[i]))
      if (contender.threads > 1) await setTimeout(FALL_ASLEEP_MS)
    }
  }
  return times
}

/**
 * @param {readonly number[]} ourTimes by round
 * @param {readonly number[]} peerTimes of the same rounds
 * @returns {Timing} medians over the rounds; of the ratios, not the ratio of the medians
 */
export function timing(ourTimes, peerTimes) {
  return {
    ms: median(ourTimes),
    peerMs: median(peerTimes),
    ratio: median(ourTimes.map((ms, round) => peerTimes[round] / ms)),
  }
}

/**
 * @param {Contender} ours
 * @param {Contender} peer
 * @param {{ rounds: number, minMs: number }} options rounds ≥ 1; minMs: the least length of half a round
 * @returns {Promise<Timing>}
 */
export async function paired(ours, peer, options) {
  const [ourTimes, peerTimes] = await inTurns([ours, peer], options)
  return timing(ourTimes, peerTimes)
}
