/** A cell folded through time. */

import type { Cell, TracedCell } from '../cells/define.ts'
import { type ElmanOptions, elmanCell } from '../cells/elman.ts'
import { type LstmOptions, lstmCell } from '../cells/lstm.ts'
import { callGraph } from '../graph/inline.ts'
import { scan } from '../graph/scan.ts'
import { type Value, zeros } from '../graph/value.ts'
import { zeros as zeroParameter } from '../init/initializers.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'

/** The carry that holds the last output; no state of a cell can be named so. */
const OUTPUT = ' output'

export interface RecurrentOptions {
  /** The output of every step, [B, T, O], instead of the last one's, [B, O]. Default: false. */
  readonly returnSequences?: boolean
  /** The model also returns this layer's states after the last step. Default: false. */
  readonly returnState?: boolean
  /** What states begin with where none is carried or given: zeros, or numbers that are learnt. Default: 'zeros'. */
  readonly initialState?: 'zeros' | 'trainable'
  /** From the last step to the first. The output of step t stays at t. Default: false. */
  readonly goBackwards?: boolean
  readonly name?: string
}

/**
 * Runs a cell over a sequence [T, B, I]. With lengths, a row's states hold once it has ended, its later outputs are
 * 0, and going backwards begins at its own last step.
 */
export class Recurrent implements Layer {
  readonly kind: string
  readonly name: string | undefined
  readonly returnState: boolean
  readonly cell: Cell
  readonly options: RecurrentOptions

  constructor(cell: Cell, options: RecurrentOptions) {
    this.kind = cell.name
    this.name = options.name
    this.returnState = options.returnState ?? false
    this.cell = cell
    this.options = options
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { value } = signal
    if (!signal.sequence || value.rank !== 3) {
      throw new ShapeError(
        `${this.kind}: expected a sequence [T, B, inputs]; received ${printShape(value.shape)}` +
          `${signal.sequence ? '' : ' without time (does the layer before need returnSequences: true?)'}`,
      )
    }
    const cell = this.cell.trace(featuresOf(this.kind, signal))
    const params = Object.entries(cell.params).map(([name, parameter]) => scope.param(name, parameter))
    const graph = scope.training ? cell.training : cell.inference
    const names = Object.keys(cell.states)
    // The last output is a state of its own unless the cell says that it is one already.
    const outputState = names[graph.outputs.indexOf(graph.outputs[0]!, 1) - 1]
    const carriesOutput = this.options.returnSequences !== true && outputState === undefined
    const output = graph.outputs[0]!
    const carry: Record<string, Value> = Object.fromEntries(
      names.map((name) => [name, scope.initial(name, this.begin(cell, name, scope))]),
    )
    if (carriesOutput) carry[OUTPUT] = zeros(output.shape)
    const result = scan(
      {
        carry,
        xs: { x: value },
        reverse: this.options.goBackwards ?? false,
        ...(scope.lengths === undefined ? {} : { lengths: scope.lengths }),
      },
      ({ carry: states, x: { x } }) => {
        const [y, ...next] = callGraph(graph, [x, ...names.map((name) => states[name]!), ...params])
        const after: Record<string, Value> = Object.fromEntries(names.map((name, i) => [name, next[i]!]))
        if (carriesOutput) after[OUTPUT] = y!
        return { carry: after, y: { output: y! } }
      },
    )
    for (const name of names) scope.final(name, result.carry[name]!)
    if (this.options.returnSequences === true) return { value: result.ys.output, sequence: true }
    return { value: result.carry[outputState ?? OUTPUT]!, sequence: false }
  }

  private begin(cell: TracedCell, name: string, scope: LayerScope): Value {
    const shape = cell.states[name]!
    if (this.options.initialState !== 'trainable') return zeros(['B', ...shape])
    return scope.param(`initial ${name}`, zeroParameter(...shape)).broadcastTo(['B', ...shape])
  }
}

/** A cell folded through time: any cell, built in or of your own. */
export function recurrent(cell: Cell, options: RecurrentOptions = {}): Recurrent {
  return new Recurrent(cell, options)
}

/** An LSTM layer; the equations stand at {@link lstmCell}. */
export function lstm({
  units,
  unitForgetBias = true,
  ...options
}: LstmOptions & RecurrentOptions): Recurrent {
  return recurrent(lstmCell({ units, unitForgetBias }), options)
}

/** A vanilla recurrent layer, Keras's SimpleRNN; the equation stands at {@link elmanCell}. */
export function elman({
  units,
  activation = 'tanh',
  ...options
}: ElmanOptions & RecurrentOptions): Recurrent {
  return recurrent(elmanCell({ units, activation }), options)
}
