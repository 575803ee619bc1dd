/**
 * A baseline that needs no training: how well do the last few characters predict the next?
 * Enters: the ids a network trains on. Leaves: bits per token, to stand beside the network's.
 */
import { DataError } from '../tensor/errors.ts'
import { requireIds, requireInteger } from './guards.ts'

/** A fitted n-gram model. */
export interface NGram {
  /**
   * Mean −log₂ p(idₜ | the tokens before it) over t = from … n − 1. Only `ids` gives context: the first tokens have less.
   *
   * @param from the first token predicted; 1 without it, as a network must read one token before it predicts
   * @throws {ArgumentError} unless `from` is an integer of at least 0
   * @throws {DataError} when no token is left to predict, or an id is outside the vocabulary
   */
  bitsPerToken(ids: Int32Array, from?: number): number
}

/**
 * Fits the interpolated n-gram of Witten and Bell. With h a context of at most `order` tokens, h′ the same without its
 * oldest token, count(h) how often a token followed h and types(h) how many different ones did:
 *
 *     p(c | h) = (count(hc) + types(h) · p(c | h′)) / (count(h) + types(h)),   p(c | nothing known) = 1 / V
 *
 * A context that never occurred leaves p(c | h′) as it is. Source: Witten and Bell, "The zero-frequency problem",
 * IEEE Transactions on Information Theory 37(4), 1991; interpolated as in Chen and Goodman, 1998.
 *
 * @param train the ids to count
 * @param order the preceding tokens that a prediction sees: 3 makes a 4-gram
 * @param vocabularySize V
 * @throws {ArgumentError} unless `order` is an integer of at least 0 and `vocabularySize` one of at least 1
 * @throws {DataError} when an id is outside the vocabulary
 */
export function wittenBell(train: Int32Array, order: number, vocabularySize: number): NGram {
  requireInteger('order', order, 0)
  requireInteger('vocabularySize', vocabularySize, 1)
  requireKnownIds('wittenBell', train, vocabularySize)

  // A node is a string of at most order + 1 tokens; node 0 is the empty one.
  const children = new Map<number, number>()
  const occurrences = [0]
  const followers = [0]
  const types = [0]
  const key = (node: number, token: number) => node * vocabularySize + token

  const count = (node: number, token: number): number => {
    let child = children.get(key(node, token))
    if (child === undefined) {
      child = occurrences.length
      children.set(key(node, token), child)
      occurrences.push(0)
      followers.push(0)
      types.push(0)
      types[node]!++
    }
    occurrences[child]!++
    followers[node]!++
    return child
  }

  // contexts[k] is the node of the last k tokens.
  let contexts = [0]
  for (const token of train) {
    const longer = contexts.map((node) => count(node, token))
    contexts = [0, ...longer.slice(0, order)]
  }

  return {
    bitsPerToken(ids, from = 1) {
      requireInteger('from', from, 0)
      requireKnownIds('bitsPerToken', ids, vocabularySize)
      if (ids.length <= from) {
        throw new DataError(
          `expected more than ${from} tokens, to predict those after them; received ${ids.length}`,
        )
      }
      let bits = 0
      let known = [0]
      for (const [t, token] of ids.entries()) {
        let probability = 1 / vocabularySize
        const longer = [0]
        for (const node of known) {
          const child = children.get(key(node, token))
          const seen = child === undefined ? 0 : occurrences[child]!
          const weight = followers[node]! + types[node]!
          if (weight > 0) probability = (seen + types[node]! * probability) / weight
          if (child !== undefined && longer.length <= order) longer.push(child)
        }
        // biome-ignore lint/plugin: printed, never computed with
        if (t >= from) bits -= Math.log2(probability)
        known = longer
      }
      return bits / (ids.length - from)
    },
  }
}

function requireKnownIds(name: string, ids: Int32Array, vocabularySize: number): void {
  requireIds(name, ids)
  const at = ids.findIndex((id) => id < 0 || id >= vocabularySize)
  if (at >= 0)
    throw new DataError(`expected ids from 0 to ${vocabularySize - 1}; received ${ids[at]} at ${at}`)
}
