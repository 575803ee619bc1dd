/** Attention over a sequence: which of its steps count, seen from another sequence's steps. */
import {
  choice,
  count,
  type Fields,
  type Filled,
  fill,
  flag,
  numberOf,
  optional,
  seed,
  text,
} from '../cells/options.ts'
import { matmul, softmax, tanh, type Value, where } from '../graph/value.ts'
import { glorotUniform } from '../init/initializers.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { dropped } from './dropout.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'
import { inside, outside, padded } from './signals.ts'

export interface PointerOptions {
  /**
   * e, how well a query q [D] fits a key k [E]: `dot`, e = q · k, D = E; `general`, e = q W k (Luong et al. 2015); `additive`,
   * e = v · tanh(q W + k U) (Bahdanau et al. 2015). Default: dot.
   */
  readonly score?: 'dot' | 'general' | 'additive'
  /** A, the size of v; for `additive` alone. */
  readonly units?: number
  /** Of `dot` and `general`: e is divided by √E (Vaswani et al. 2017). Default: false. */
  readonly scaled?: boolean
  readonly name?: string | undefined
}

export interface AttentionOptions extends PointerOptions {
  /** The share of weights a that are dropped in training, each at every step by itself; see {@link Dropout}. Default: 0. */
  readonly dropout?: number
  /** Of this layer's dropout alone. Default: the seed of `fit`. */
  readonly seed?: number | undefined
}

const POINTER = {
  score: choice('dot', ['dot', 'general', 'additive']),
  units: optional(count),
  scaled: flag(false),
  name: text,
} satisfies Fields<PointerOptions>
const ATTENTION = {
  ...POINTER,
  dropout: numberOf('of at least 0 and below 1', 0),
  seed,
} satisfies Fields<AttentionOptions>

/** What is masked: so low that its share is 0, and finite, so that differences are numbers. */
const NEVER = -1e9

/**
 * For a query at every step t of a sequence (or for one), called on [queries, values] or [queries, values, keys]; keys are
 * the values where they are not given:
 *
 *     a(t)_s = softmax_s e(q(t), k(s)), y(t) = Σ_s a(t)_s v(s)
 *
 * over the steps s that are there. `get('weights')` is a, [B, T, S], in training after `dropout`. A pointer (`pointer`) yields
 * e instead, logits over the steps s.
 */
export class Attention implements Layer {
  readonly kind: 'attention' | 'pointer'
  readonly name: string | undefined
  readonly options: Filled<typeof POINTER> & Partial<Filled<typeof ATTENTION>>
  /** Steps of the values are read all together. */
  readonly readsAround = 'others'

  constructor(kind: Attention['kind'], options: AttentionOptions) {
    this.kind = kind
    this.options = fill(kind, kind === 'pointer' ? POINTER : ATTENTION, options)
    this.name = options.name
    const { score, units } = this.options
    if ((score === 'additive') === (units === undefined)) {
      throw new ArgumentError(
        `${kind}: expected units where the score is additive, and only there; received ${score} and ${units ?? 'none'}`,
      )
    }
  }

  apply(query: Signal, scope: LayerScope): Signal {
    const [values, keys = values] = scope.others
    if (values === undefined || keys === undefined) {
      throw new ArgumentError(
        `${this.kind}: expected two or three inputs, call(${this.kind}(), [queries, values]); received one`,
      )
    }
    if (!values.sequence || !keys.sequence) {
      throw new ShapeError(`${this.kind}: expected values that are a sequence (returnSequences: true)`)
    }
    const [v, k] = [padded(values), padded(keys)]
    const there = v.mask?.transpose()
    const q = query.sequence ? outside(query) : query.value.expandDims(1)
    const e = this.#scores(q, outside(k), [featuresOf(this.kind, query), featuresOf(this.kind, k)], scope)
    const scores = there === undefined ? e : where(there.expandDims(1), e, NEVER)
    if (this.kind === 'pointer') return laid(query, scores)
    const shares = softmax(scores)
    const { dropout = 0, seed } = this.options
    const weights = dropped(laid(query, shares), dropout, seed, scope)
    // As they lay, unless some were dropped.
    const left = scope.training && dropout > 0 ? outside(weights).reshape(shares.shape) : shares
    return { ...laid(query, matmul(left, outside(v))), others: { weights } }
  }

  /** e [B, T, S] of queries [B, T, D] and keys [B, S, E]. */
  #scores(q: Value, k: Value, [D, E]: readonly [number, number], scope: LayerScope): Value {
    const { score, units, scaled } = this.options
    if (score === 'additive') {
      const W = scope.param('W', glorotUniform(D, units!))
      const U = scope.param('U', glorotUniform(E, units!))
      const v = scope.param('v', glorotUniform(units!, 1))
      const both = q.matmul(W).expandDims(2).add(k.matmul(U).expandDims(1))
      const [B, T, S] = both.shape
      return tanh(both).matmul(v).reshape([B!, T!, S!])
    }
    if (score === 'dot' && D !== E) {
      throw new ShapeError(
        `${this.kind}: the score dot expects queries and keys of one size; received ${D} and ${E}: general or additive ` +
          'take any',
      )
    }
    const own = score === 'dot' ? q : q.matmul(scope.param('W', glorotUniform(D, E)))
    const e = matmul(own, k.transpose([0, 2, 1]))
    return scaled ? e.mul(1 / Math.sqrt(E)) : e
  }
}

/** [B, T, …] as the queries lie. */
function laid(query: Signal, value: Value): Signal {
  if (query.sequence) return inside({ ...query, value, others: undefined })
  const [B, , ...rest] = value.shape
  return { value: value.reshape([B!, ...rest]), sequence: false }
}

/** A layer that looks back at a whole sequence; the equations stand at {@link Attention}. */
export function attention(options: AttentionOptions = {}): Attention {
  return new Attention('attention', options)
}

/**
 * Logits over another sequence's steps (Vinyals et al. 2015): which of them is meant; of `call(pointer(), [queries, values])`.
 * With softmaxCrossEntropy its targets are numbers of steps, 0 … S − 1.
 */
export function pointer(options: PointerOptions = { score: 'additive', units: 32 }): Attention {
  return new Attention('pointer', options)
}
