import { callGraph } from '../graph/inline.ts'
import type { Value } from '../graph/value.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape } from '../tensor/size.ts'
import { type Cell, type TracedCell, tracedOnce, traceStep } from './define.ts'

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
  return { name: 'stacked', options, trace: tracedOnce((inputs) => traceStack(cells, inputs)) }
}

/** @throws {ArgumentError} for what is no cell: a function that makes one, most of the time */
export function requireCell(what: string, cell: Cell): void {
  if (typeof cell === 'object' && typeof cell?.trace === 'function') return
  const hint = typeof cell === 'function' ? ' (call it with its options)' : ''
  throw new ArgumentError(`${what}: expected a cell; received ${cell === null ? 'null' : typeof cell}${hint}`)
}

function traceStack(cells: readonly Cell[], inputs: number): TracedCell {
  const stack: TracedCell[] = []
  for (const [k, cell] of cells.entries()) {
    const below = stack[k - 1]
    stack.push(cell.trace(below === undefined ? inputs : outputsOf(below)))
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
      let output = x
      for (const [k, cell] of stack.entries()) {
        const own = (all: Readonly<Record<string, Value>>, names: object) =>
          Object.keys(names).map((name) => all[`${k} ${name}`]!)
        const drawn = training ? Object.keys(cell.noise ?? {}).map((name) => masks.get(`${k} ${name}`)!) : []
        const args = [output, ...own(state, cell.states), ...own(params, cell.params), ...drawn]
        const [y, ...after] = callGraph(training ? cell.training : cell.inference, args)
        for (const [i, name] of Object.keys(cell.states).entries()) next[`${k} ${name}`] = after[i]!
        output = y!
      }
      return { output, state: next }
    },
  )
}

/** How many numbers a cell's output has for a row, when another one reads them. */
function outputsOf({ name, training }: TracedCell): number {
  const { shape } = training.outputs[0]!
  const outputs = shape.length === 2 ? constantOf(shape[1]!) : undefined
  if (outputs !== undefined) return outputs
  throw new ShapeError(`stacked: a cell on ${name} needs [B, inputs]; received ${printShape(shape)}`)
}
