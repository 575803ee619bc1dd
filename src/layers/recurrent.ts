/** A cell folded through time. */

import type { Cell, TracedCell } from '../cells/define.ts'
import { ELMAN, type ElmanOptions, elmanCell } from '../cells/elman.ts'
import { GRU, type GruOptions, gruCell } from '../cells/gru.ts'
import { JORDAN, type JordanOptions, jordanCell } from '../cells/jordan.ts'
import { LSTM, type LstmOptions, lstmCell } from '../cells/lstm.ts'
import { choice, type Fields, type Filled, fill, flag, optional, seed, text } from '../cells/options.ts'
import { requireCell, stacked } from '../cells/stacked.ts'
import { callGraph } from '../graph/inline.ts'
import { resized } from '../graph/rebuild.ts'
import { scan, type Values } from '../graph/scan.ts'
import { type Value, where, zeros } from '../graph/value.ts'
import { zeros as zeroParameter } from '../init/initializers.ts'
import { requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Size } from '../tensor/size.ts'
import type { Fold, Layer, LayerScope, Signal } from './layer.ts'
import { readBy } from './reading.ts'

/** The carry that holds the last output, and what is read in its place; no state or input of a cell can be named so. */
const [OUTPUT, BEFORE, TARGETS, CHOSEN] = [' output', ' before', ' targets', ' chosen'] as const

export interface RecurrentOptions {
  /** The output of every step, [B, T, O], instead of the last one's, [B, O]. Default: false. */
  readonly returnSequences?: boolean
  /** The model also returns this layer's states after the last step. Default: false. */
  readonly returnState?: boolean
  /**
   * What states begin with where none is carried or given: zeros, or numbers that are learnt (but for states that the
   * cell says always begin with zeros, such as counters). Default: 'zeros'.
   */
  readonly initialState?: 'zeros' | 'trainable'
  /** From the last step to the first. The output of step t stays at t. Default: false. */
  readonly goBackwards?: boolean
  /** With returnSequences, 0 where a mask has no step, instead of the output of the step before. Default: false. */
  readonly zeroOutputForMask?: boolean
  /**
   * Zoneout (Krueger et al. 2017): in training, each number of a state keeps what it was at the step before with probability
   * `rate`, drawn anew at every step; otherwise s(t) = rate s(t−1) + (1 − rate) s′(t), where s′(t) is what the cell makes.
   * A rate for all states but those that always begin with zeros, or one for each by name: `{ c: 0.5, h: 0.05 }`. Where the
   * cell's output is a state, it is that state after zoneout. Default: 0.
   */
  readonly zoneout?: Zoneout | undefined
  /** Of what this layer draws. Default: the seed of `fit`. */
  readonly seed?: number | undefined
  /**
   * Keras's: row i of a batch goes on from where row i of the batch before has ended, in `fit`, `evaluate` and `predict`
   * alike, whatever batches say of `reset`, until `resetState(model)`; gradients stay within a batch. A run of `fit` goes on
   * from where the model stands, and leaves behind what its last step made; its validation begins anew and touches nothing of
   * that. `initialState` of a call replaces it for that call; states that another layer gives are not carried. `decode`,
   * `generate`, `freeRun` and `gradientFlow` begin anew, and leave it as it is. Default: false.
   */
  readonly stateful?: boolean
  readonly name?: string
}

/** A rate for all states but those that always begin with zeros, or one for each state by name. */
export type Zoneout = number | Readonly<Record<string, number>>

function requireZoneout(what: string, name: string, value: Zoneout): void {
  const rates: number[] = typeof value === 'object' ? Object.values(value ?? [value]) : [value]
  for (const rate of rates) requireNumber(what, name, rate, 'of at least 0 and below 1')
}

const FIELDS = {
  returnSequences: flag(false),
  returnState: flag(false),
  initialState: choice('zeros', ['zeros', 'trainable']),
  goBackwards: flag(false),
  zeroOutputForMask: flag(false),
  zoneout: optional<Zoneout>({ fallback: undefined, check: requireZoneout }),
  seed,
  stateful: flag(false),
  name: text,
} satisfies Fields<RecurrentOptions>

/**
 * Runs a cell over a sequence [T, B, I], or [T, B, …] and several of those where the cell declares `inputs`. With lengths, a row's states hold once it has ended, its later outputs are
 * 0, and going backwards begins at its own last step. With a mask, states hold where a step is masked, and its output
 * is that of the step before it (going backwards: after it), 0 where there is none yet, as in Keras; or always 0, with
 * `zeroOutputForMask`.
 */
export class Recurrent implements Layer {
  readonly kind: string
  readonly name: string | undefined
  readonly returnState: boolean
  readonly readsBackwards: boolean
  readonly stateful: boolean
  readonly cell: Cell
  readonly cells: readonly Cell[]
  readonly options: Filled<typeof FIELDS>

  constructor(cell: Cell, options: RecurrentOptions) {
    requireCell('recurrent', cell)
    this.options = fill(cell.name, FIELDS, options)
    this.kind = cell.name
    this.name = options.name
    this.readsBackwards = options.goBackwards ?? false
    this.returnState = this.options.returnState
    this.stateful = this.options.stateful
    this.cell = cell
    this.cells = [cell]
  }

  apply(first: Signal, scope: LayerScope): Signal {
    const {
      signal,
      inputs,
      traced: cell,
    } = readBy(this.kind, this.cell, [first, ...scope.others], scope.aligned)
    const { value, packing, mask } = signal
    const params = Object.entries(cell.params).map(([name, parameter]) =>
      scope[cell.fixed?.includes(name) ? 'variable' : 'param'](name, parameter),
    )
    const graph = scope.training ? cell.training : cell.inference
    const names = Object.keys(cell.states)
    // The last output is a state of its own unless the cell says that it is one already.
    const outputState = names[graph.outputs.indexOf(graph.outputs[0]!, 1) - 1]
    const { returnSequences, goBackwards, zeroOutputForMask } = this.options
    const rows = packing === undefined ? value.shape[1]! : packing.sizes.rows
    const carriesOutput = !returnSequences && outputState === undefined
    const begins = Object.fromEntries(
      names.map((name) => {
        const begin = scope.initial(name, this.begin(cell, name, rows, scope))
        return [name, packing === undefined ? begin : packing.sorted(begin)]
      }),
    )
    const { feedback } = cell
    const teacher =
      feedback === undefined
        ? undefined
        : scope.forced?.(begins[feedback]!, signal, () => scope.random(feedback))
    const forced = teacher !== undefined && 'before' in teacher ? teacher : undefined
    const sampled = teacher !== undefined && 'chosen' in teacher ? teacher : undefined
    const own = names.filter((name) => forced === undefined || name !== feedback)
    const carry: Record<string, Value> = Object.fromEntries(own.map((name) => [name, begins[name]!]))
    if (carriesOutput) carry[OUTPUT] = zeros(graph.outputs[0]!.shape.with(0, rows))
    const rates = this.#rates(cell)
    const noise =
      scope.training && (cell.noise !== undefined || rates.size > 0)
        ? scope.noise!(cell, { rates, seed: this.options.seed }, signal, scope)
        : undefined
    const xs: Values = {
      ...inputs,
      ...(forced && { [BEFORE]: forced.before }),
      ...(sampled && { [TARGETS]: sampled.targets, [CHOSEN]: sampled.chosen }),
      ...noise?.xs,
    }
    const result = (scope.fold ?? folded)({ carry, xs, reverse: goBackwards }, signal, scope, (alive) => {
      // The cell was traced for B rows.
      const step = resized(graph, new Map([['B', alive]]))
      return ({ carry: states, x }) => {
        const given = Object.keys(inputs).map((name) => x[name]!)
        const old = names.map((name) => states[name] ?? x[BEFORE]!)
        const [made, ...next] = callGraph(step, [...given, ...old, ...params, ...(noise?.masks(x) ?? [])])
        const all = new Map(
          names.map((name, i) => {
            const [before, after, rate] = [old[i]!, next[i]!, rates.get(name)]
            if (rate === undefined) return [name, after]
            const mean = () => before.mul(rate).add(after.mul(1 - rate))
            return [name, noise?.after(name, before, after, x) ?? mean()]
          }),
        )
        const output = outputState === undefined ? made! : all.get(outputState)!
        const after: Record<string, Value> = Object.fromEntries(own.map((name) => [name, all.get(name)!]))
        if (sampled !== undefined) {
          after[feedback!] = where(x[CHOSEN]!.greater(0), x[TARGETS]!, output)
        }
        if (carriesOutput) after[OUTPUT] = output
        return { carry: after, y: { output } }
      }
    })
    const inOrder = (state: Value) => (packing === undefined ? state : packing.unsorted(state))
    for (const name of names) scope.final(name, inOrder(result.carry[name] ?? forced!.final))
    const output = result.ys['output']!
    if (returnSequences) {
      const own =
        zeroOutputForMask || mask === undefined ? output : (scope.hold ?? held)(output, mask, goBackwards)
      return { ...signal, value: own, inner: undefined }
    }
    return { value: inOrder(result.carry[outputState ?? OUTPUT]!), sequence: false }
  }

  /** Rates of zoneout above 0, by state. */
  #rates({ states, untrained = [] }: TracedCell): ReadonlyMap<string, number> {
    const { zoneout = 0 } = this.options
    const given =
      typeof zoneout === 'number'
        ? Object.keys(states).flatMap((name) => (untrained.includes(name) ? [] : [[name, zoneout] as const]))
        : Object.entries(zoneout)
    for (const [name] of given) {
      if (Object.hasOwn(states, name)) continue
      throw new ArgumentError(
        `${this.kind}: zoneout is of states, ${Object.keys(states).join(', ')}; received ${name}`,
      )
    }
    return new Map(given.filter(([, rate]) => rate > 0))
  }

  private begin(cell: TracedCell, name: string, rows: Size, scope: LayerScope): Value {
    const shape = cell.states[name]!
    if (this.options.initialState !== 'trainable' || cell.untrained?.includes(name))
      return zeros([rows, ...shape])
    return scope.param(`initial ${name}`, zeroParameter(...shape)).broadcastTo([rows, ...shape])
  }
}

const folded: Fold = (options, { value, packing, mask }, _, stepFor) =>
  packing === undefined
    ? scan({ ...options, ...(mask && { mask }) }, stepFor(value.shape[1]!))
    : packing.scan(options, stepFor(packing.sizes.alive))

/** The output [T, B, …], repeated where the mask has no step; nothing but selects, so that repeating has the same bits. */
function held(output: Value, mask: Value, reverse: boolean): Value {
  const [, rows, ...features] = output.shape
  const there = mask.reshape([output.shape[0]!, rows!, ...features.map(() => 1)])
  const { ys } = scan(
    { carry: { last: zeros([rows!, ...features]) }, xs: { output, there }, reverse },
    ({ carry, x }) => {
      const last = where(x.there, x.output, carry.last)
      return { carry: { last }, y: { last } }
    },
  )
  return ys.last
}

/**
 * A cell folded through time: any cell, built in or of your own. A list of cells is a stack of them
 * ({@link stacked}).
 * @throws {ArgumentError} for what is no cell, or an option that is not there
 */
export function recurrent(cell: Cell | readonly Cell[], options: RecurrentOptions = {}): Recurrent {
  return new Recurrent(isList(cell) ? stacked(cell) : cell, options)
}

function isList(cell: Cell | readonly Cell[]): cell is readonly Cell[] {
  return Array.isArray(cell)
}

/** A vanilla recurrent layer, Keras's SimpleRNN; the equation stands at {@link elmanCell}. */
export function elman(options: ElmanOptions & RecurrentOptions): Recurrent {
  return layerOf('elman', elmanCell, ELMAN, options)
}

/** A GRU layer; the equations stand at {@link gruCell}. */
export function gru(options: GruOptions & RecurrentOptions): Recurrent {
  return layerOf('gru', gruCell, GRU, options)
}

/** A layer whose output is fed back; the equations stand at {@link jordanCell}. */
export function jordan(options: JordanOptions & RecurrentOptions): Recurrent {
  return layerOf('jordan', jordanCell, JORDAN, options)
}

/** An LSTM layer; the equations stand at {@link lstmCell}. */
export function lstm(options: LstmOptions & RecurrentOptions): Recurrent {
  return layerOf('lstm', lstmCell, LSTM, options)
}

/** Of the options of a layer, some are its cell's. */
export function layerOf<O extends object>(
  kind: string,
  cell: (options: O) => Cell,
  fields: Fields<O>,
  options: O & RecurrentOptions,
): Recurrent {
  requireKnown(kind, options, [...Object.keys(fields), ...Object.keys(FIELDS)])
  const part = (ofLayer: boolean) =>
    Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(FIELDS, name) === ofLayer))
  return new Recurrent(cell(part(false) as O), part(true))
}
