import { callGraph } from '../graph/inline.ts'
import { Value } from '../graph/value.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { type Cell, type TracedCell, tracedOnce, traceStep } from './define.ts'
import { type InputShape, inputAxes, inputsOf } from './inputs.ts'

/**
 * Cells one on the other as one cell, as a list of cells is in Keras: at every step the output of each is the next one's
 * input; the output is the last one's. States and parameters bear their cell's number: '0 h', '1 U'.
 * @throws {ArgumentError} for no cells, or what is no cell
 */
export function stacked(cells: readonly Cell[]): Cell {
  if (!Array.isArray(cells) || cells.length === 0) {
    const received = Array.isArray(cells) ? 'none' : typeof cells
    throw new ArgumentError(`stacked: expected at least one cell in a list; received ${received}`)
  }
  for (const cell of cells) requireCell('stacked', cell)
  const options = { cells: cells.map(({ name, options: own }) => ({ name, options: own })) }
  const trace = tracedOnce((inputs) => traceStack(cells, inputs))
  return { name: 'stacked', options, inputs: cells[0]!.inputs, trace }
}

/** @throws {ArgumentError} for what is no cell: a function that makes one, most of the time */
export function requireCell(what: string, cell: Cell): void {
  if (typeof cell === 'object' && typeof cell?.trace === 'function') return
  const hint = typeof cell === 'function' ? ' (call it with its options)' : ''
  throw new ArgumentError(`${what}: expected a cell; received ${cell === null ? 'null' : typeof cell}${hint}`)
}

function traceStack(cells: readonly Cell[], inputs: InputShape): TracedCell {
  const stack: TracedCell[] = []
  for (const [k, cell] of cells.entries()) {
    const below = stack[k - 1]
    stack.push(cell.trace(below === undefined ? inputs : outputsOf(below, cell)))
  }
  const numbered = <T>(of: (cell: TracedCell) => Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      stack.flatMap((cell, k) => Object.entries(of(cell)).map(([name, value]) => [`${k} ${name}`, value])),
    )
  const those = (of: (cell: TracedCell) => readonly string[] | undefined) =>
    stack.flatMap((cell, k) => (of(cell) ?? []).map((name) => `${k} ${name}`))
  const { feedback } = stack[stack.length - 1]!
  return traceStep(
    {
      name: 'stacked',
      inputs,
      states: numbered(({ states }) => states),
      params: numbered(({ params }) => params),
      untrained: those(({ untrained }) => untrained),
      fixed: those(({ fixed }) => fixed),
      noise: numbered(({ noise = {} }) => noise),
      feedback: feedback === undefined ? undefined : `${stack.length - 1} ${feedback}`,
    },
    ({ x, state, params, training, masks }) => {
      const next: Record<string, Value> = {}
      let read = x instanceof Value ? [x] : Object.values(x)
      for (const [k, cell] of stack.entries()) {
        const own = (all: Readonly<Record<string, Value>>, names: object) =>
          Object.keys(names).map((name) => all[`${k} ${name}`]!)
        const drawn = training ? Object.keys(cell.noise ?? {}).map((name) => masks.get(`${k} ${name}`)!) : []
        const args = [...read, ...own(state, cell.states), ...own(params, cell.params), ...drawn]
        const [y, ...after] = callGraph(training ? cell.training : cell.inference, args)
        for (const [i, name] of Object.keys(cell.states).entries()) next[`${k} ${name}`] = after[i]!
        read = [y!]
      }
      return { output: read[0]!, state: next }
    },
  )
}

/** A cell's output as what another one reads. */
function outputsOf({ name, training }: TracedCell, cell: Cell): InputShape {
  const { shape } = training.outputs[0]!
  const expected = inputAxes(cell.inputs)
  if (expected.length === 1 && shape.length === 1 + expected[0]![1]) return inputsOf(cell.inputs, [shape])
  const needed = expected
    .map(([input, axes]) => `${input} of ${axes === 1 ? '1 axis' : `${axes} axes`}`)
    .join(', ')
  throw new ShapeError(
    `stacked: ${cell.name} on ${name} reads ${needed}, besides the batch’s; received ${printShape(shape)}`,
  )
}
