/**
 * Cells as plain data. Every cell is saved as the graphs that its step left, a built-in one like a user's own, and
 * loaded from them: the code that defined it is not needed and not looked for.
 * Holds: the graphs of a loaded cell take and give what the cell declares.
 */
import {
  type Cell,
  type CellOptions,
  feedsBack,
  MEMBER_NAME,
  requireUntrained,
  type TracedCell,
} from '../cells/define.ts'
import { areNamed, type InputAxes, type InputShape, inputShapes, printInputs } from '../cells/inputs.ts'
import { callGraph } from '../graph/inline.ts'
import { resized } from '../graph/rebuild.ts'
import { traceWith } from '../graph/trace.ts'
import type { Value } from '../graph/value.ts'
import { type Initializer, NUMBERS, type Parameter, parameter } from '../init/initializers.ts'
import { type Rule, rule } from '../init/rules.ts'
import { requireNumber } from '../tensor/checks.ts'
import { ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape, type Shape, sameShape, shapeOf } from '../tensor/size.ts'
import {
  choice,
  extent,
  type Fields,
  fault,
  type Json,
  list,
  number,
  object,
  type Read,
  shown,
  text,
  within,
  writeNumber,
} from './fields.ts'
import { GraphWriter, graphsReader, rootReader } from './graph-data.ts'

type Named<T> = readonly (readonly [name: string, value: T])[]

/** Sizes that a step may name: rows and steps. */
const SYMBOLS = ['B', 'T']
const MAX_OPTION_DEPTH = 8

export function writeCell(cell: TracedCell, options: CellOptions): Json {
  const writer = new GraphWriter()
  const [training, inference] = [writer.root(cell.training), writer.root(cell.inference)]
  return {
    name: cell.name,
    inputs: writeInputs(cell.inputs),
    options: plain(options, 0) ?? {},
    states: Object.entries(cell.states).map(([name, shape]) => ({ name, shape })),
    params: Object.entries(cell.params).map(([name, each]) => ({ name, ...writeParameter(each) })),
    feedback: cell.feedback,
    noise: cell.noise && Object.entries(cell.noise).map(([name, each]) => ({ name, ...each })),
    untrained: cell.untrained?.length === 0 ? undefined : cell.untrained,
    fixed: cell.fixed?.length === 0 ? undefined : cell.fixed,
    graphs: writer.graphs,
    training,
    inference,
  }
}

/** A number of features, a shape, or shapes by name, in order. */
function writeInputs(inputs: InputShape): Json {
  if (!areNamed(inputs)) return inputs
  return Object.entries(inputs).map(([name, shape]) => ({ name, shape }))
}

/** What JSON can hold of a cell's options, for people to read; functions and the like are left out. */
function plain(value: unknown, depth: number): Json | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return writeNumber(value)
  if (typeof value !== 'object' || depth === MAX_OPTION_DEPTH) return undefined
  if (Array.isArray(value)) return value.map((each) => plain(each, depth + 1) ?? null)
  const entries = Object.entries(value).filter(([name]) => name !== '__proto__')
  return Object.fromEntries(entries.map(([name, each]) => [name, plain(each, depth + 1)]))
}

function writeParameter({ shape, init, regularizer, constraint }: Parameter): {
  readonly [field: string]: Json | undefined
} {
  return {
    ...writePart({ shape, init }),
    regularizer: regularizer && writeRule(regularizer, shape),
    constraint: constraint && writeRule(constraint, shape),
  }
}

function writePart({ shape, init }: Parameter): { readonly [field: string]: Json } {
  return { shape, init: writeInitializer(init) }
}

type AnyRule = Rule<'regularizer' | 'constraint'>

/** A function of one value as what it makes of values of this shape. */
export function writeFunction(
  name: string,
  shape: readonly (number | string)[],
  of: (value: Value) => Value,
): { readonly [field: string]: Json } {
  const writer = new GraphWriter()
  const { graph } = traceWith(
    [{ name, shape }],
    ([value]) => [of(value!)],
    (outputs) => outputs,
  )
  const root = writer.root(graph)
  return { graphs: writer.graphs, root }
}

/** Reads a function whose sizes name these symbols. What it makes is checked where it is used. */
export function readFunction(fields: Fields, symbols: readonly string[]): (value: Value) => Value {
  const graph = fields.get('root', rootReader(symbols, fields.get('graphs', graphsReader(symbols))))
  return (value) => {
    const sizes = new Map(symbols.map((symbol, axis) => [symbol, value.shape[axis]!]))
    return callGraph(resized(graph, sizes), [value])[0]!
  }
}

/** A rule as what it makes of weights of this shape. */
export function writeRule({ name, apply }: AnyRule, shape: readonly number[]): Json {
  return { name, ...writeFunction('weight', shape, apply) }
}

export function readRule<K extends AnyRule['kind']>(kind: K): Read<Rule<K>> {
  return object((fields) => rule(kind, fields.get('name', text), readFunction(fields, [])))
}
const [regularizer, constraint] = [readRule('regularizer'), readRule('constraint')]

export function writeInitializer(init: Initializer): Json {
  const fields = Object.entries(init).map(
    ([name, value]: [string, string | number | readonly Parameter[]]): [string, Json] => {
      if (typeof value === 'string') return [name, value]
      return [name, typeof value === 'number' ? writeNumber(value) : value.map(writePart)]
    },
  )
  // In the order of names, whoever made the object: loading and saving again gives the same file.
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const extents = list(extent)

export function readInitializer(fields: Fields): Initializer {
  const kind = fields.get('kind', choice(Object.keys(NUMBERS) as Initializer['kind'][], 'initializer'))
  if (kind === 'joined') return { kind, parts: fields.get('parts', list(object(readParameter))) }
  const numbers = NUMBERS[kind].map((name) => [name, fields.get(name, number)] as const)
  return { kind, ...Object.fromEntries(numbers) } as Initializer
}

function readParameter(fields: Fields): Parameter {
  const shape = fields.get('shape', extents)
  const init = fields.get('init', object(readInitializer))
  const rules = {
    regularizer: fields.maybe('regularizer', regularizer),
    constraint: fields.maybe('constraint', constraint),
  }
  return within(fields.where, () => parameter(shape, init, rules))
}

function readNoise(fields: Fields) {
  const rate = fields.get('rate', number)
  within(fields.where, () => requireNumber('noise', 'rate', rate, 'of at least 0 and below 1'))
  return { shape: fields.get('shape', extents), rate }
}

const readInputs: Read<InputShape> = (value, where) => {
  if (!Array.isArray(value)) return extent(value, where)
  if (value.length === 0) throw fault(where, 'expected sizes, or inputs by name; received none')
  if (typeof value[0] !== 'object') return extents(value, where)
  return named((input) => input.get('shape', extents))(value, where)
}

/** How many axes a step of each input has. */
function axesOf(inputs: InputShape): InputAxes | undefined {
  if (typeof inputs === 'number') return undefined
  const axes = inputShapes(inputs).map(([name, shape]) => [name, shape.length] as const)
  return areNamed(inputs) ? Object.fromEntries(axes) : axes[0]![1]
}

/** Reads a cell. It has been traced: for the inputs that it was saved with. */
export const readCell: Read<Cell> = object((fields) => {
  const name = fields.get('name', text)
  const options = fields.get('options', (value, where): CellOptions => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as CellOptions
    throw fault(where, 'expected an object')
  })
  const graphs = fields.get('graphs', graphsReader(SYMBOLS))
  const root = rootReader(SYMBOLS, graphs)
  const traced: TracedCell = {
    name,
    inputs: fields.get('inputs', readInputs),
    states: fields.get(
      'states',
      named((state) => state.get('shape', extents)),
    ),
    params: fields.get('params', named(readParameter)),
    feedback: fields.maybe('feedback', text),
    untrained: fields.maybe('untrained', list(text)),
    fixed: fields.maybe('fixed', list(text)),
    noise: fields.maybe('noise', named(readNoise)),
    training: fields.get('training', root),
    inference: fields.get('inference', root),
  }
  for (const way of ['training', 'inference'] as const) {
    requireInterface(traced, way, `${fields.where}.${way}`)
  }
  const outputs = [traced.training, traced.inference].map((graph) => printShape(graph.outputs[0]!.shape))
  if (outputs[0] !== outputs[1]) {
    throw fault(fields.where, `its output is ${outputs[0]} in training, ${outputs[1]} in inference`)
  }
  if (traced.feedback !== undefined && !feedsBack(traced, traced.feedback)) {
    throw fault(
      fields.where,
      `its feedback names ${shown(traced.feedback)}, which is no state that holds its output`,
    )
  }
  within(fields.where, () => requireUntrained(traced))
  return {
    name,
    options,
    inputs: axesOf(traced.inputs),
    trace(inputs) {
      const [expected, received] = [traced.inputs, inputs].map(printInputs)
      if (expected === received) return traced
      throw new ShapeError(`cell ${name} was saved for ${expected}; received ${received}`)
    },
  }
})

/** A list of named things as a record in the order of the list. */
function named<T>(read: (fields: Fields) => T): Read<Readonly<Record<string, T>>> {
  const entries = list(object((fields) => [fields.get('name', text), read(fields)] as const))
  return (value, where) => {
    const found: Named<T> = entries(value, where)
    const record = Object.fromEntries(found)
    const odd = found.find(([name]) => !MEMBER_NAME.test(name))
    if (odd !== undefined) throw fault(where, `${shown(odd[0])} is no name of an input, state or parameter`)
    // Names that stand twice, and numbers for names, which objects would bring into another order.
    const kept = Object.keys(record)
    if (kept.length === found.length && found.every(([name], i) => kept[i] === name)) return record
    throw fault(where, 'its names are not apart from each other or not in order')
  }
}

/** Refuses a graph that does not take the inputs, states and parameters and give the output and the next states. */
function requireInterface(cell: TracedCell, way: 'training' | 'inference', where: string): void {
  const graph = cell[way]
  const noise = way === 'training' ? Object.entries(cell.noise ?? {}) : []
  const states = Object.entries(cell.states).map(([name, shape]) => [name, shapeOf(['B', ...shape])] as const)
  const expected: Named<Shape> = [
    ...inputShapes(cell.inputs).map(([name, shape]) => [name, shapeOf(['B', ...shape])] as const),
    ...states,
    ...Object.entries(cell.params).map(([name, { shape }]) => [name, shapeOf(shape)] as const),
    ...noise.map(([name, { shape }]) => [`noise ${name}`, shapeOf(['B', ...shape])] as const),
  ]
  const received = graph.params.map(({ shape, dtype }, i) => `${graph.names[i]} ${dtype}${printShape(shape)}`)
  const declared = expected.map(([name, shape]) => `${name} f32${printShape(shape)}`)
  if (String(received) !== String(declared)) {
    throw fault(where, `the cell declares (${declared.join(', ')}); its graph takes (${received.join(', ')})`)
  }
  const [output, ...next] = graph.outputs
  const rows = shapeOf(['B'])
  const features = output?.shape.slice(1) ?? []
  if (
    output?.dtype !== 'f32' ||
    !sameShape(output.shape.slice(0, 1), rows) ||
    features.length === 0 ||
    features.some((each) => constantOf(each) === undefined)
  ) {
    throw fault(where, 'its first output must be f32[B, outputs]')
  }
  const fits = next.every(({ dtype, shape }, i) => dtype === 'f32' && sameShape(shape, states[i]?.[1] ?? []))
  if (next.length !== states.length || !fits) {
    throw fault(
      where,
      `the cell has the states ${Object.keys(cell.states).join(', ')}; its graph gives other ones`,
    )
  }
}
