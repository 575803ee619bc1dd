/** Random numbers for the data of examples. */

/**
 * The generator mulberry32.
 *
 * @param {number} seed
 * @param {number} [stream] other numbers of the same seed
 * @returns {() => number} in [0, 1)
 */
export function randomOf(seed, stream = 0) {
  let state = Math.imul(seed + 1, 0x9e3779b1) + stream
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
