/**
 * Random numbers as pure functions of (seed, stream, index): Philox4x32-10, a counter-based generator.
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
 * Enters: a seed (a safe integer) and a stream (an unsigned integer of 32 bits; `streamOf` makes one from a name).
 * Holds: key = [low, high 32 bits of the seed], counter = [low, high 32 bits of the block, stream, purpose].
 * Block b has four words and gives elements 4b … 4b + 3, so neighbors cost a quarter of a block each.
 */
import { ArgumentError } from './errors.ts'
import { cos, log, sin } from './math.ts'

/** The counter's last word: what is drawn from the same seed and stream for unlike ends shares no block. */
const purposes = { uniform: 0, normal: 1, shuffle: 2 }

/** Writes the four words of a block. */
type Blocks = (index: number, words: Uint32Array) => void

/** Turns the four words of a block into four values. */
type Distribution = (words: Uint32Array, values: Float64Array) => void

/** The four words of one block of Philox4x32-10. All numbers are unsigned integers of 32 bits. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const words = Uint32Array.from(counter)
  encrypt(words, key[0], key[1])
  return [words[0]!, words[1]!, words[2]!, words[3]!]
}

/**
 * Element i of a stream: a multiple of 2⁻³² in [0, 1), all equally likely.
 *
 * @throws {ArgumentError} when seed, stream or i is not an integer in its range
 */
export function uniform(seed: number, stream: number, i: number): number {
  return element(i, blocks(seed, stream, purposes.uniform), toUniform)
}

/**
 * Element i of a stream from the normal distribution of mean 0 and deviation 1; |z| < 6.77. Two words a, b
 * give two elements, √(−2 log u) · (cos 2πv, sin 2πv) with u = (a + ½) 2⁻³², v = b 2⁻³² (Box and Muller 1958).
 *
 * @throws {ArgumentError} when seed, stream or i is not an integer in its range
 */
export function normal(seed: number, stream: number, i: number): number {
  return element(i, blocks(seed, stream, purposes.normal), toNormal)
}

/**
 * data[i] = low + (high − low) · uniform(seed, stream, i), rounded to f32, which may make it `high` itself.
 *
 * @throws {ArgumentError} when seed or stream is not an integer in its range
 */
export function fillUniform(
  data: Float32Array,
  seed: number,
  stream: number,
  low: number,
  high: number,
): void {
  fill(data, blocks(seed, stream, purposes.uniform), toUniform, low, high - low)
}

/**
 * data[i] = mean + deviation · normal(seed, stream, i), rounded to f32.
 *
 * @throws {ArgumentError} when seed or stream is not an integer in its range
 */
export function fillNormal(
  data: Float32Array,
  seed: number,
  stream: number,
  mean: number,
  deviation: number,
): void {
  fill(data, blocks(seed, stream, purposes.normal), toNormal, mean, deviation)
}

/**
 * The integers 0 … count − 1 in an order drawn without bias: the algorithm of Fisher and Yates, where a word
 * that would favor the lower places is passed over.
 *
 * @throws {ArgumentError} when seed, stream or count is not an integer in its range
 */
export function shuffle(count: number, seed: number, stream: number): Int32Array {
  requireInteger('count', count, 0, 2 ** 31 - 1)
  const writeBlock = blocks(seed, stream, purposes.shuffle)
  const words = new Uint32Array(4)
  let drawn = 0
  const below = (places: number): number => {
    const fair = 2 ** 32 - (2 ** 32 % places)
    for (;;) {
      if (drawn % 4 === 0) writeBlock(drawn / 4, words)
      const word = words[drawn++ % 4]!
      if (word < fair) return word % places
    }
  }
  const order = new Int32Array(count).map((_, i) => i)
  for (let last = count - 1; last > 0; last--) {
    const place = below(last + 1)
    const moved = order[place]!
    order[place] = order[last]!
    order[last] = moved
  }
  return order
}

/** The stream of a name: the FNV-1a hash, 32 bits, of its UTF-8 bytes (Fowler, Noll and Vo). */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** A seed as the one i32 that ops on random numbers take; 0 … 2³² − 1 are all unlike. */
export function seedWord(seed: number): number {
  return (seed | 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9)
}

function blocks(seed: number, stream: number, purpose: number): Blocks {
  requireInteger('seed', seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  requireInteger('stream', stream, 0, 2 ** 32 - 1)
  const seedLow = seed >>> 0
  const seedHigh = Math.floor(seed / 2 ** 32) >>> 0
  return (index, words) => {
    words[0] = index
    words[1] = Math.floor(index / 2 ** 32)
    words[2] = stream
    words[3] = purpose
    encrypt(words, seedLow, seedHigh)
  }
}

function element(i: number, writeBlock: Blocks, distribution: Distribution): number {
  requireInteger('i', i, 0, Number.MAX_SAFE_INTEGER)
  const words = new Uint32Array(4)
  const values = new Float64Array(4)
  writeBlock(Math.floor(i / 4), words)
  distribution(words, values)
  return values[i % 4]!
}

/** data[i] = offset + factor · the stream's element i. */
function fill(
  data: Float32Array,
  writeBlock: Blocks,
  distribution: Distribution,
  offset: number,
  factor: number,
): void {
  const words = new Uint32Array(4)
  const values = new Float64Array(4)
  for (let start = 0; start < data.length; start += 4) {
    writeBlock(start / 4, words)
    distribution(words, values)
    const count = Math.min(4, data.length - start)
    for (let k = 0; k < count; k++) data[start + k] = offset + factor * values[k]!
  }
}

function toUniform(words: Uint32Array, values: Float64Array): void {
  for (let k = 0; k < 4; k++) values[k] = words[k]! / 2 ** 32
}

function toNormal(words: Uint32Array, values: Float64Array): void {
  for (let k = 0; k < 4; k += 2) {
    const radius = Math.sqrt(-2 * log((words[k]! + 0.5) / 2 ** 32))
    const angle = (2 * Math.PI * words[k + 1]!) / 2 ** 32
    values[k] = radius * cos(angle)
    values[k + 1] = radius * sin(angle)
  }
}

/** Replaces a counter by its block: ten rounds of two products, their halves crossed over, and a stepping key. */
function encrypt(words: Uint32Array, key0: number, key1: number): void {
  for (let round = 0; round < 10; round++) {
    const first = words[0]!
    const third = words[2]!
    words[0] = upperProduct(third, 0xcd9e8d57) ^ words[1]! ^ (key0 + Math.imul(round, 0x9e3779b9))
    words[1] = Math.imul(third, 0xcd9e8d57)
    words[2] = upperProduct(first, 0xd2511f53) ^ words[3]! ^ (key1 + Math.imul(round, 0xbb67ae85))
    words[3] = Math.imul(first, 0xd2511f53)
  }
}

/** The upper 32 of the product's 64 bits, from halves of 16 bits. */
function upperProduct(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16)
  const rest = (Math.imul(aLow, bHigh) + (middle & 0xffff)) >>> 0
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (rest >>> 16)
}

function requireInteger(name: string, value: number, from: number, to: number): void {
  if (!Number.isInteger(value) || value < from || value > to) {
    throw new ArgumentError(`${name} must be an integer from ${from} to ${to}; received ${value}`)
  }
}
