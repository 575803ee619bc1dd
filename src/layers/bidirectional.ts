import type { Cell } from '../cells/define.ts'
import { choice, type Field, type Fields, type Filled, fill, text } from '../cells/options.ts'
import { concat, type Value } from '../graph/value.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, sameShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { Recurrent } from './recurrent.ts'
import { within } from './wrapping.ts'

/** How the outputs of both directions become one: one after the other along the last axis, or number by number. */
const MERGES = {
  concat: (forward: Value, backward: Value) => concat([forward, backward], -1),
  sum: (forward: Value, backward: Value) => forward.add(backward),
  mul: (forward: Value, backward: Value) => forward.mul(backward),
  ave: (forward: Value, backward: Value) => forward.add(backward).mul(0.5),
} as const

export type MergeMode = keyof typeof MERGES

export interface BidirectionalOptions {
  /** null: both outputs, the forward one and, as `get('backward')`, the other. Default: concat. */
  readonly mergeMode?: MergeMode | null
  /** Default: a second layer like the first, with parameters of its own, the other way. */
  readonly backwardLayer?: Recurrent | undefined
  readonly name?: string | undefined
}

const merge = choice('concat', Object.keys(MERGES) as MergeMode[])
const mergeMode: Field<MergeMode | null> = {
  fallback: merge.fallback,
  check: (what, name, value) => {
    if (value !== null) merge.check(what, name, value)
  },
}

const FIELDS = {
  mergeMode,
  name: text,
} satisfies Fields<Omit<BidirectionalOptions, 'backwardLayer'>>

/**
 * Two recurrent layers over one sequence, one each way (Schuster and Paliwal 1997), Keras's Bidirectional. With
 * returnSequences, what stands at step t has seen the steps to t and those from t; without, both directions' last
 * outputs are merged. Their parameters and states are `forward …` and `backward …`.
 */
export class Bidirectional implements Layer {
  readonly kind = 'bidirectional'
  readonly name: string | undefined
  readonly returnState: boolean
  readonly stateful: boolean
  readonly readsBackwards = true
  readonly cells: readonly Cell[]
  readonly forward: Recurrent
  readonly backward: Recurrent
  readonly options: Filled<typeof FIELDS>

  constructor(layer: Recurrent, given: BidirectionalOptions) {
    requireKnown('bidirectional', given, [...Object.keys(FIELDS), 'backwardLayer'])
    const { backwardLayer, ...options } = given
    this.options = fill('bidirectional', FIELDS, options)
    this.name = options.name
    requireRecurrent(layer)
    if (backwardLayer !== undefined) requireRecurrent(backwardLayer)
    this.forward = layer
    this.backward = backwardLayer ?? turned(layer)
    this.returnState = layer.returnState
    this.stateful = layer.stateful
    this.cells = [this.forward.cell, this.backward.cell]
    requireFit(this.forward, this.backward)
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const forward = this.forward.apply(signal, within(scope, 'forward'))
    const backward = this.backward.apply(signal, within(scope, 'backward'))
    const { mergeMode } = this.options
    if (mergeMode === null) return { ...forward, others: { backward } }
    if (mergeMode !== 'concat' && !sameShape(forward.value.shape, backward.value.shape)) {
      const shapes = [forward, backward].map(({ value }) => printShape(value.shape)).join(' and ')
      throw new ShapeError(
        `bidirectional: mergeMode ${mergeMode} needs outputs of one shape; received ${shapes}`,
      )
    }
    return { ...forward, value: MERGES[mergeMode](forward.value, backward.value) }
  }
}

function turned({ cell, options }: Recurrent): Recurrent {
  return new Recurrent(cell, { ...options, goBackwards: !options.goBackwards })
}

function requireFit(forward: Recurrent, backward: Recurrent): void {
  const [there, back] = [forward.options, backward.options]
  if (there.goBackwards === back.goBackwards) {
    throw new ArgumentError(
      `bidirectional: expected layers that go opposite ways; received goBackwards: ${there.goBackwards} twice`,
    )
  }
  for (const name of ['returnSequences', 'returnState', 'stateful'] as const) {
    if (there[name] === back[name]) continue
    throw new ArgumentError(
      `bidirectional: expected one ${name} of both layers; received ${there[name]} and ${back[name]}`,
    )
  }
}

function requireRecurrent(layer: Layer): void {
  if (layer instanceof Recurrent) return
  throw new ArgumentError(
    `bidirectional: expected a recurrent layer; received ${layer?.kind ?? typeof layer}`,
  )
}

/**
 * Runs a recurrent layer both ways:
 *
 *     bidirectional(lstm({ units: 64, returnSequences: true }), { mergeMode: 'sum' })
 *
 * @throws {ArgumentError} for what is no recurrent layer, and for layers that do not go opposite ways or return the same
 */
export function bidirectional(layer: Recurrent, options: BidirectionalOptions = {}): Bidirectional {
  return new Bidirectional(layer, options)
}
