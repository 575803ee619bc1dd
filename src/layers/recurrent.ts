/** A cell folded through time. */

import type { Cell, TracedCell } from '../cells/define.ts'
import { ELMAN, type ElmanOptions, elmanCell } from '../cells/elman.ts'
import { GRU, type GruOptions, gruCell } from '../cells/gru.ts'
import { JORDAN, type JordanOptions, jordanCell } from '../cells/jordan.ts'
import { LSTM, type LstmOptions, lstmCell } from '../cells/lstm.ts'
import { choice, type Fields, type Filled, fill, flag, text } from '../cells/options.ts'
import { requireCell, stacked } from '../cells/stacked.ts'
import { callGraph } from '../graph/inline.ts'
import { resized } from '../graph/rebuild.ts'
import { scan } from '../graph/scan.ts'
import { type Value, where, zeros } from '../graph/value.ts'
import { zeros as zeroParameter } from '../init/initializers.ts'
import { requireKnown } from '../tensor/checks.ts'
import type { Size } from '../tensor/size.ts'
import type { Fold, Layer, LayerScope, Signal } from './layer.ts'
import { readBy } from './reading.ts'

/** The carry that holds the last output, and what is read in its place; no state or input of a cell can be named so. */
const [OUTPUT, BEFORE] = [' output', ' before'] as const

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
  readonly name?: string
}

const FIELDS = {
  returnSequences: flag(false),
  returnState: flag(false),
  initialState: choice('zeros', ['zeros', 'trainable']),
  goBackwards: flag(false),
  zeroOutputForMask: flag(false),
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
    this.cell = cell
    this.cells = [cell]
  }

  apply(first: Signal, scope: LayerScope): Signal {
    const { signal, inputs, traced: cell } = readBy(this.kind, this.cell, [first, ...scope.others])
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
    const forced =
      feedback === undefined || scope.forced === undefined
        ? undefined
        : { name: feedback, ...scope.forced(begins[feedback]!, signal) }
    const own = names.filter((name) => name !== forced?.name)
    const carry: Record<string, Value> = Object.fromEntries(own.map((name) => [name, begins[name]!]))
    if (carriesOutput) carry[OUTPUT] = zeros(graph.outputs[0]!.shape.with(0, rows))
    const xs = { ...inputs, ...(forced && { [BEFORE]: forced.before }) }
    const result = (scope.fold ?? folded)({ carry, xs, reverse: goBackwards }, signal, scope, (alive) => {
      // The cell was traced for B rows.
      const step = resized(graph, new Map([['B', alive]]))
      return ({ carry: states, x }) => {
        const given = Object.keys(inputs).map((name) => x[name]!)
        const before = names.map((name) => states[name] ?? x[BEFORE]!)
        const [y, ...next] = callGraph(step, [...given, ...before, ...params])
        const after: Record<string, Value> = Object.fromEntries(
          own.map((name) => [name, next[names.indexOf(name)]!]),
        )
        if (carriesOutput) after[OUTPUT] = y!
        return { carry: after, y: { output: y! } }
      }
    })
    const inOrder = (state: Value) => (packing === undefined ? state : packing.unsorted(state))
    for (const name of names) scope.final(name, inOrder(result.carry[name] ?? forced!.final))
    const output = result.ys['output']!
    if (returnSequences) {
      const own = zeroOutputForMask ? output : held(output, mask, goBackwards)
      return { ...signal, value: own, inner: undefined }
    }
    return { value: inOrder(result.carry[outputState ?? OUTPUT]!), sequence: false }
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
function held(output: Value, mask: Value | undefined, reverse: boolean): Value {
  if (mask === undefined) return output
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
  const { returnSequences, returnState, initialState, goBackwards, zeroOutputForMask, name, ...own } = options
  const layer = { returnSequences, returnState, initialState, goBackwards, zeroOutputForMask, name }
  return new Recurrent(cell(own as unknown as O), layer)
}
