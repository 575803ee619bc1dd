/**
 * Results of seeds, one line of JSON each, appended as they come. A line that was cut off is none; of several with one
 * key the last counts.
 */

import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { UsageError } from './options.mjs'

/** @typedef {{ value: number | null, seconds: number, failure?: string }} Result `value`: null where training failed */

export class Saved {
  #file
  /** @type {Map<string, Result>} */
  #results = new Map()

  /** @param {string} file made where there is none @throws {UsageError} if it cannot be written */
  constructor(file) {
    this.#file = file
    try {
      mkdirSync(dirname(file), { recursive: true })
      appendFileSync(file, '')
    } catch (error) {
      throw new UsageError(`--saved: cannot write ${file}: ${error instanceof Error ? error.message : error}`)
    }
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      try {
        const { key, ...result } = JSON.parse(line)
        this.#results.set(key, result)
      } catch {}
    }
  }

  /** @param {unknown[]} key @returns {Result | undefined} */
  get(key) {
    return this.#results.get(JSON.stringify(key))
  }

  /** @param {unknown[]} key @param {Result} result */
  put(key, result) {
    const text = JSON.stringify(key)
    this.#results.set(text, result)
    // The line before may have been cut off.
    appendFileSync(this.#file, `\n${JSON.stringify({ key: text, ...result })}`)
  }
}
