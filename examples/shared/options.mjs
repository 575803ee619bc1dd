/** The command line of an example: sizes by name, each with a default, and words to choose from. */

import { basename } from 'node:path'
import { parseArgs } from 'node:util'

/**
 * @template {Record<string, [value: number | string, text: string, among?: string[]]>} Known
 * @param {string} about what the example does
 * @param {Known} known for each option its default, what it is, and, where it is a word, all that it may be
 * @returns {{ [Name in keyof Known]: Known[Name][0] }} options as they were given; `--help` and what is wrong end the process
 */
export function readOptions(about, known) {
  const all = Object.entries(known)
  const text = /** @type {const} */ ({ type: 'string' })
  try {
    const options = { ...Object.fromEntries(all.map(([name]) => [name, text])), help: { type: 'boolean' } }
    const { values } = parseArgs({ options })
    if (values.help) {
      const lines = all.map(([name, [value, what, among]]) => {
        const words = among === undefined ? what : `${what}: ${among.join(', ')}`
        return `  --${name.padEnd(10)}  ${words} (default: ${value})`
      })
      console.log(
        `Usage: ${command()} [options]\n\n${about}\n\nOptions\n${lines.join('\n')}\n  --help        this text`,
      )
      process.exit(0)
    }
    return Object.fromEntries(
      all.map(([name, [value, , among]]) => [name, read(name, values[name], value, among)]),
    )
  } catch (error) {
    stop(error.message)
  }
}

/** @param {string} name @param {string | undefined} given @param {number | string} fallback @param {string[]} [among] */
function read(name, given, fallback, among) {
  if (given === undefined) return fallback
  if (among !== undefined) {
    if (among.includes(given)) return given
    throw new Error(`--${name}: expected ${among.join(', ')}; received '${given}'`)
  }
  const value = Number(given)
  const least = name === 'seed' ? 0 : 1
  if (given.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`--${name}: expected a whole number of at least ${least}; received '${given}'`)
}

/** @param {string} message what is wrong with the command @returns {never} */
export function stop(message) {
  console.error(`${message}\nSee: ${command()} --help`)
  process.exit(2)
}

const command = () => `node examples/${basename(process.argv[1])}`
