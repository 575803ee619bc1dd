/**
 * The graph of a decoding loop. What of a model does not depend on what is written, an encoder, stands before the loop;
 * the rest is run a step at a time, its states carried, on the token that the step before has chosen.
 */
import { argMax, cumulativeSum, randomCategorical, sort, topK } from '../graph/functions.ts'
import type { Values } from '../graph/scan.ts'
import { scanUntil } from '../graph/scan-until.ts'
import {
  add,
  and,
  constant,
  equal,
  exp,
  floorDiv,
  gather,
  iota,
  log,
  logSoftmax,
  mod,
  mul,
  not,
  or,
  sizeValue,
  softmax,
  type Value,
  where,
  zeros,
} from '../graph/value.ts'
import type { Signal } from '../layers/layer.ts'
import type { Model } from '../layers/model.ts'
import type { Called, ModelScope } from '../layers/parts.ts'
import { streamOf } from '../tensor/random.ts'
import { floorDivSize, mulSize, type Size, subSize, symbol } from '../tensor/size.ts'
import { dependentsOf } from './dependents.ts'
import { dataInput, facesOf, type LeafOptions, leafScope, leafSpecs, maskInput, partOf } from './leaves.ts'
import { type NamedGraph, type NamedSpec, traceNamed } from './session.ts'

/** What is decided when a loop is traced; the rest are inputs of it. */
export interface DecodePlan extends Pick<LeafOptions, 'packing' | 'mask'> {
  /** The input that reads what was written. */
  readonly feedback: string
  /** The input whose steps the model points at, where it writes no tokens. */
  readonly points: string | undefined
  readonly sampled: boolean
  readonly topK: number | undefined
  readonly topP: boolean
  /** W; rows are W beams for each row of the inputs, side by side. */
  readonly beamWidth: number
}

const NEVER = -1e30
const [LENGTH, PROMPT_LENGTH] = [symbol('maxSteps'), symbol('P')]
const scalar = (name: string, dtype: 'f32' | 'i32') => ({ name, shape: [], dtype })
const PARAMETERS = [
  scalar('end', 'i32'),
  scalar('seed', 'i32'),
  scalar('temperature', 'f32'),
  scalar('topP', 'f32'),
  scalar('lengthPenalty', 'f32'),
] as const
type Get = (name: string) => Value

/** Inputs: those of the model but the one that is fed back, its `prompt`, and PARAMETERS. Outputs: tokens, lengths, scores. */
export function traceDecoding(model: Model, plan: DecodePlan): NamedGraph {
  return traceNamed([...inputsOf(model, plan), ...PARAMETERS], (get) => {
    const decoder = new Decoder(model, plan, get)
    return { outputs: plan.beamWidth > 1 ? beamSearch(decoder, plan, get) : oneByOne(decoder, plan, get) }
  })
}

function inputsOf(model: Model, { feedback, packing, mask = false }: DecodePlan): NamedSpec[] {
  const spec = model.built.inputs.get(feedback)!
  const time = String(spec.shape[0] ?? 'T')
  const own = packing?.packingSpecs(symbol(time), partOf(time)).map(({ name }) => name) ?? []
  const not = new Set([...own, maskInput(time)])
  return leafSpecs(model, { training: false, carry: [], packing, mask }).flatMap((each) => {
    if (not.has(each.name)) return []
    if (each.name !== dataInput(feedback)) return [each]
    return [{ ...each, name: 'prompt', shape: ['B', PROMPT_LENGTH, ...each.shape.slice(2)] }]
  })
}

/** A model, a step at a time. */
class Decoder {
  readonly #model: Model
  readonly #plan: DecodePlan
  readonly #scope: ModelScope
  /** The other inputs, and what they alone decide. */
  readonly #others: Map<string, Signal>
  readonly #known: readonly (Called | undefined)[]
  /** What the loop begins with, once the prompt is read but for its last step. */
  readonly begin: Values
  readonly last: Value

  constructor(model: Model, plan: DecodePlan, get: Get) {
    this.#model = model
    this.#plan = plan
    this.#scope = leafScope(get, { training: false, carry: [] })
    const { feedback } = plan
    this.#others = facesOf(model, get, {
      ...{ packing: plan.packing, mask: plan.mask === true, without: feedback },
    })
    const dependent = dependentsOf('decode', model, feedback)
    this.#known = model.run(this.#others, this.#scope, (call) => !dependent.has(call))
    const prompt = get('prompt')
    const before = subSize(PROMPT_LENGTH, 1)
    const begins = new Set<string>()
    const states = this.#run(prompt.slice(1, 0, before), (path, value) => {
      begins.add(path)
      return value
    }).states
    this.begin = Object.fromEntries([...begins].map((path) => [path, states.get(path)!]))
    const final = prompt.slice(1, before, PROMPT_LENGTH)
    this.last = final.reshape([final.shape[0]!, ...final.shape.slice(2)])
  }

  #run(value: Value, initial: ModelScope['initial']) {
    const faces = new Map([...this.#others, [this.#plan.feedback, { value, sequence: true }] as const])
    const done = this.#model.run(faces, { ...this.#scope, initial }, () => true, this.#known)
    return this.#model.finish(done)
  }

  /** Logits [B, V] after what was written last, and the states then. */
  step(last: Value, states: Values): { readonly logits: Value; readonly states: Values } {
    const { outputs, states: after } = this.#run(last.expandDims(1), (path) => states[path]!)
    const [output] = outputs.values()
    const [, B, V] = output!.value.shape
    return {
      logits: output!.value.reshape([B!, V!]),
      states: Object.fromEntries(Object.keys(states).map((path) => [path, after.get(path)!])),
    }
  }

  /** What the next step reads where these tokens, i32 [B], were chosen. */
  read(tokens: Value, get: Get): Value {
    const { points } = this.#plan
    if (points === undefined) return tokens
    const source = get(dataInput(points))
    const [B, S, ...rest] = source.shape as [Size, Size, ...Size[]]
    const place = iota([B]).mul(sizeValue(S).toI32()).add(tokens)
    return gather(source.reshape([mulSize(B, S), ...rest]), place)
  }
}

/** The likeliest token of each step, or one that is drawn. */
function oneByOne(
  decoder: Decoder,
  { sampled, topK: most, topP }: DecodePlan,
  get: Get,
): Record<string, Value> {
  const [end, B] = [get('end'), decoder.last.shape[0]!]
  const names = Object.keys(decoder.begin)
  const stream = streamOf('decode')
  const result = scanUntil(
    {
      steps: LENGTH,
      carry: {
        ...decoder.begin,
        ' last': decoder.last,
        ' over': zeros([B], 'bool'),
        ' lengths': zeros([B], 'i32'),
        ' scores': zeros([B]),
      },
    },
    ({ carry: { ' last': last, ' over': ended, ' lengths': lengths, ' scores': scores, ...states }, t }) => {
      const { logits, states: after } = decoder.step(last!, states)
      const chosen = sampled
        ? randomCategorical(filtered(logits.div(get('temperature')), most, topP ? get('topP') : undefined), {
            ...{ seed: get('seed'), update: 0, stream, time: t },
          })
        : argMax(logits)
      const token = where(ended!, end, chosen)
      const over = or(ended!, equal(token, end))
      const carry: Record<string, Value> = Object.fromEntries(names.map((name) => [name, after[name]!]))
      return {
        carry: {
          ...carry,
          ' last': decoder.read(token, get),
          ' over': over,
          ' lengths': add(lengths!, where(ended!, 0, constant(1, [], 'i32'))),
          ' scores': scores!.add(where(ended!, 0, chanceOf(logits, chosen))),
        },
        y: { token },
        until: all(over),
      }
    },
  )
  const { ' lengths': lengths, ' scores': scores } = result.carry
  const written = iota([LENGTH, 1]).less(lengths!)
  return {
    tokens: where(written, result.ys.token, end).transpose(),
    lengths: lengths!,
    scores: scores!,
  }
}

/** log p of a token, i32 [B], under logits [B, V]. */
function chanceOf(logits: Value, token: Value): Value {
  return where(iota(logits.shape, 1).equal(token.expandDims(1)), logSoftmax(logits), 0).sum(1)
}

const all = (flags: Value) => equal(flags.toF32().sum(), sizeValue(flags.shape[0]!))

/** Logits of which those that are not among the k likeliest, or the likeliest of p together, are so low that none is drawn. */
function filtered(logits: Value, k: number | undefined, p: Value | undefined): Value {
  const likely = k === undefined ? logits : above(logits, topK(logits, k).values.slice(1, k - 1, k))
  if (p === undefined) return likely
  const shares = sort(softmax(likely), 1, { descending: true })
  // What the likelier ones leave of p.
  const kept = cumulativeSum(shares, 1).sub(shares).less(p)
  const least = where(kept, shares.neg(), -2).reduceMax(1, { keepDims: true }).neg()
  return where(softmax(likely).less(least), NEVER, likely)
}

const above = (logits: Value, least: Value) => where(logits.less(least), NEVER, logits)

/** The W likeliest beginnings of each row, kept side by side (beam search); of those the best in the end. */
function beamSearch(decoder: Decoder, { beamWidth: W }: DecodePlan, get: Get): Record<string, Value> {
  const [end, B] = [get('end'), decoder.last.shape[0]!]
  const S = floorDivSize(B, W)
  const names = Object.keys(decoder.begin)
  // Only the first of equal beams counts.
  const begin = where(equal(mod(iota([B]), W), 0), 0, constant(NEVER, [B]))
  const result = scanUntil(
    {
      steps: LENGTH,
      carry: {
        ...decoder.begin,
        ' last': decoder.last,
        ' over': zeros([B]),
        ' lengths': zeros([B]),
        ' scores': begin,
        ' tokens': zeros([B, LENGTH]),
      },
    },
    ({ carry, t }) => {
      const {
        ' last': last,
        ' over': ended,
        ' lengths': lengths,
        ' scores': scores,
        ' tokens': tokens,
        ...states
      } = carry
      const { logits, states: after } = decoder.step(last!, states)
      const V = logits.shape[1]!
      const isOver = ended!.greater(0).expandDims(1)
      const isEnd = iota([B, V], 1).equal(end)
      // What has ended goes on with its end alone, which costs nothing.
      const next = where(isOver, where(isEnd, 0, constant(NEVER, [B, V])), logSoftmax(logits))
      const sums = scores!
        .expandDims(1)
        .add(next)
        .reshape([S, mulSize(V, W)])
      const best = topK(sums, W, 1)
      const places = best.indices
      const classes = sizeValue(V).toI32()
      const row = add(mul(iota([S, W]), W), floorDiv(places, classes)).reshape([B])
      const token = mod(places, classes).reshape([B])
      const moved = (value: Value) => gather(value, row)
      const wasOver = moved(ended!)
      const written = where(
        and(iota([1, LENGTH], 1).equal(t), not(wasOver.greater(0).expandDims(1))),
        token.toF32().expandDims(1),
        moved(tokens!),
      )
      const over = where(or(wasOver.greater(0), equal(token, end)), 1, constant(0, [B]))
      const own: Record<string, Value> = Object.fromEntries(names.map((name) => [name, moved(after[name]!)]))
      return {
        carry: {
          ...own,
          ' last': decoder.read(token, get),
          ' over': over,
          ' lengths': moved(lengths!).add(1).sub(wasOver),
          ' scores': best.values.reshape([B]),
          ' tokens': written,
        },
        until: all(over.greater(0)),
      }
    },
  )
  const { ' lengths': lengths, ' scores': scores, ' tokens': tokens } = result.carry
  // Wu et al. 2016: ((5 + n) / 6)^α
  const penalty = exp(log(lengths!.add(5).div(6)).mul(get('lengthPenalty')))
  const place = argMax(scores!.div(penalty).reshape([S, W]), 1).add(mul(iota([S]), W))
  const own = (value: Value) => gather(value, place)
  const counts = own(lengths!).toI32()
  const written = iota([1, LENGTH], 1).less(counts.expandDims(1))
  return {
    tokens: where(written, own(tokens!).toI32(), end),
    lengths: counts,
    scores: own(scores!),
  }
}
