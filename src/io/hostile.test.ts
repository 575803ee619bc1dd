import { expect, test } from 'vitest'
import { defineCell } from '../cells/define.ts'
import { scan } from '../graph/scan.ts'
import { ones, parameter } from '../init/initializers.ts'
import { l2 } from '../init/regularizers.ts'
import { dense } from '../layers/dense.ts'
import { recurrent } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { FormatError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { NO_CHECKSUM, sealed } from './checksum.ts'
import type { Json } from './fields.ts'
import { loadModel, saveModel } from './model.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'

/** x [B, 3], h [B, 2], n [B, 1], U [3, 2], b [2]: a scan of its own, two states of unlike shapes. */
const cell = defineCell<object>()({
  name: 'victim',
  state: () => ({ h: 2, n: 1 }),
  params: ({ inputs }) => ({
    U: parameter([inputs, 2], { kind: 'glorotUniform' }, { regularizer: l2() }),
    b: ones(2),
  }),
}).step(({ x, state: { h, n }, params: { U, b } }) => {
  const start = x.matmul(U).add(b)
  const { carry } = scan({ carry: { g: h }, steps: 3 }, ({ carry: { g } }) => ({
    carry: { g: g.add(start).tanh() },
  }))
  return { output: carry.g, state: { h: carry.g, n } }
})
const model = sequential([recurrent(cell({})), dense({ units: 2 })]).build({ shape: [null, 3], dtype: 'f32' })
const { tensors, metadata } = readSafetensors(saveModel(model))

/** The model's file with another description: its text, or one place of it set (`+` adds to a list). */
function fileWith(path: string, value?: Json): Uint8Array {
  const description = JSON.parse(metadata['recurra']!)
  const steps = path.replace(/^graph/, 'cells.0.graphs.1').split('.')
  const last = steps.pop()!
  const parent = steps.reduce((inside, step) => inside[step], description)
  if (last === '+') parent.push(value)
  else parent[last] = value
  return fileOf(JSON.stringify(description))
}

function fileOf(description: string, weights: ReadonlyMap<string, Tensor> = tensors): Uint8Array {
  return fileWithMetadata({ recurra: description }, weights)
}

/** With the checksum that fits. */
function fileWithMetadata(texts: Record<string, string>, weights: ReadonlyMap<string, Tensor> = tensors) {
  return sealed(writeSafetensors(weights, { ...texts, checksum: NO_CHECKSUM }))
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  expect(() => loadModel(bytes)).toThrow(FormatError)
  expect(() => loadModel(bytes)).toThrow(message)
}

const nested = (depth: number): Json => (depth === 0 ? 'B' : ['min', nested(depth - 1), 'T'])
const long = (count: number): Json => [
  'sum',
  ...Array.from({ length: count }, (_, i) => [1, ...Array(i).fill('B')]),
]
const iota = (...shape: Json[]): Json => ({ op: 'iota', shape, axis: 0, inputs: [] })
const constant = (value: Json, dtype: string): Json => ({
  op: 'constant',
  value,
  shape: [],
  dtype,
  inputs: [],
})
const slice = (start: Json, length: Json): Json => ({
  op: 'slice',
  axis: 0,
  start,
  length,
  step: 1,
  inputs: [0],
})

const WEIGHT: Json = { name: 'weight', shape: [3, 2], dtype: 'f32' }
const ruleOf = (outputs: Json[]): Json => ({
  name: 'own',
  graphs: [{ params: [WEIGHT], nodes: [], outputs }],
  root: { graph: 0, guards: [] },
})

/** A graph that folds another one some times over. */
function folding(body: number, times: number): Json {
  const fold = { op: 'scan', body, carries: 0, consts: 0, steps: 1, reverse: false, inputs: [] }
  return {
    params: [],
    nodes: [...Array(times).fill(fold), { op: 'output', index: 0, inputs: [0] }],
    outputs: [times],
  }
}
const unfolding = (times: number): Json => [
  { params: [], nodes: [constant(1, 'f32')], outputs: [0] },
  ...Array.from({ length: 12 }, (_, i) => folding(i, times)),
]

test.each<[name: string, path: string, value: Json | undefined, message: RegExp]>([
  ['unknown op', 'graph.nodes.3.op', 'eval', /: cells\[0\]\.graphs\[1\]\.nodes\[3\]\.op: unknown op "eval"/],
  ['op of prototypes', 'graph.nodes.3.op', 'constructor', /unknown op "constructor"/],
  ['function of prototypes', 'graph.nodes.3.fn', 'toString', /nodes\[3\]\.fn: unknown function "toString"/],
  ['a parameter among nodes', 'graph.nodes.3.op', 'param', /unknown op "param"/],
  ['unknown field of a node', 'graph.nodes.3.code', '1', /nodes\[3\]: unknown field "code"/],
  ['unknown field of a graph', 'graph.code', '1', /graphs\[1\]: unknown field "code"/],
  ['unknown field of a cell', 'cells.0.step', '() => 1', /cells\[0\]: unknown field "step"/],
  ['unknown field of the model', 'code', '1', /unknown field "code"/],
  ['a field that is missing', 'graph.nodes.3.inputs', undefined, /nodes\[3\]: field inputs is missing/],
  ['a newer format', 'format', 2, /format: is 2, .*update/],
  ['an object for a list', 'graph.nodes', {}, /graphs\[1\]\.nodes: expected a list; received an object/],
  ['a list for an object', 'graph.nodes.3', [], /nodes\[3\]: expected an object; received a list/],
  ['a text for a flag', 'graph.nodes.4.reverse', 'no', /reverse: expected true or false; received "no"/],
  ['a flag for a text', 'cells.0.name', true, /cells\[0\]\.name: expected a text; received true/],
  ['a text for a number', 'cells.0.params.1.init.value', '0x10', /value: expected a number; received "0x10"/],
  ['a node that reads itself', 'graph.nodes.3.inputs.0', 8, /no node before this one with number 8/],
  ['a scan that folds itself', 'graph.nodes.4.body', 1, /no graph before this one with number 1/],
  ['half a place', 'graph.nodes.3.inputs.0', 0.5, /inputs\[0\]: expected an integer/],
  ['a place below 0', 'graph.outputs.0', -1, /outputs\[0\]: expected an integer/],
  ['too few inputs', 'graph.nodes.1.inputs', [0], /einsum takes 2 inputs; received 1/],
  ['too few operands', 'graph.nodes.3.inputs', [6], /add takes 2 operands; received 1/],
  [
    'a scan as a number',
    'graph.nodes.+',
    { op: 'elementwise', fn: 'neg', inputs: [9] },
    /through its outputs/,
  ],
  ['a scan as an output', 'graph.outputs.0', 9, /through its outputs/],
  ['an output of no scan', 'graph.nodes.5.inputs.0', 8, /output: expected a scan/],
  ['an output too many', 'graph.nodes.5.index', 7, /the scan has 2 outputs, not 7/],
  ['more states than there are', 'graph.nodes.4.carries', 3, /3 states and 1 constants do not fit/],
  [
    'more inputs than there are',
    'graph.nodes.4.inputs',
    [1, 5],
    /scan: the body has 3 parameters; received 2/,
  ],
  ['a body without outputs', 'cells.0.graphs.0.outputs', [], /and 0 outputs/],
  [
    'a state of another type',
    'cells.0.graphs.0',
    {
      params: [
        { name: '', shape: ['B', 2], dtype: 'f32' },
        { name: '', shape: [], dtype: 'i32' },
        { name: '', shape: ['B', 2], dtype: 'f32' },
      ],
      nodes: [{ op: 'elementwise', fn: 'toI32', inputs: [0] }],
      outputs: [3, 0],
    },
    /for next state 0/,
  ],
  ['a letter twice', 'graph.nodes.1.a', 'kk', /a: expected letters, each of them once/],
  ['too many nodes', 'graph.nodes', Array(100_001).fill(0), /nodes: has 100001 entries: 100000 is the most/],
  ['scans that unfold', 'cells.0.graphs', unfolding(100), /unfolds to more than 100000 nodes/],
  ['scans too deep', 'cells.0.graphs', unfolding(1), /more than 8 deep/],
  ['shapes that do not agree', 'graph.params.0.shape', ['B', 4], /nodes\[1\]: matmul: \[B, 4\]/],
  ['an axis too many', 'graph.nodes.0.shape', Array(17).fill(1), /has 17 entries: 16 is the most/],
  ['a size too large', 'graph.params.0.shape.1', 1e12, /shape\[1\]: expected an integer/],
  [
    'a tensor too large',
    'graph.nodes.+',
    iota(1e9, 1e9),
    /nodes\[6\]\.shape: a tensor of this shape is too large/,
  ],
  ['a tensor of too many terms', 'graph.nodes.+', iota(long(8), long(8), long(8)), /is too large/],
  ['a size of too many factors', 'graph.nodes.+', iota(long(12)), /has 10 entries: 9 is the most/],
  ['sizes within sizes', 'graph.nodes.+', iota(nested(60)), /is nested more than 32 deep/],
  ['a size below 0', 'graph.nodes.+', iota(-3), /the size -3 may be negative/],
  ['a size that may fall below 0', 'graph.nodes.+', iota(['sum', [1, 'B'], [-2]]), /may be negative/],
  ['a division by what may be 0', 'graph.nodes.+', iota(['floorDiv', 9, ['sum', [1, 'B'], [-1]]]), /below 1/],
  ['a size of an unknown kind', 'graph.nodes.+', iota(['power', 'B', 'B']), /unknown kind of size "power"/],
  ['an unknown size', 'graph.params.0.shape.0', 'Q', /unknown size "Q"; expected one of B, T/],
  [
    'a slice past the end',
    'graph.nodes.+',
    slice(0, ['sum', [2, 'B']]),
    /slice: 2·B elements from 0 on by 1 leave axis 0/,
  ],
  ['a slice before the start', 'graph.nodes.+', slice(['sum', [1, 'B'], [-2]], 'B'), /may be negative/],
  ['a constant of no i32', 'graph.nodes.+', constant(0.5, 'i32'), /0.5 is no value of type i32/],
  ['a constant of no bool', 'graph.nodes.+', constant('NaN', 'bool'), /NaN is no value of type bool/],
  ['an unknown type', 'graph.params.0.dtype', 'f64', /unknown element type "f64"/],
  ['another type', 'graph.params.0.dtype', 'bool', /matmul expects f32; received bool/],
  ['an output less', 'graph.outputs', [10, 10], /has the states h, n; its graph gives other ones/],
  ['an output more', 'graph.outputs', [10, 10, 2, 2], /its graph gives other ones/],
  ['a state of another shape', 'graph.outputs.2', 10, /its graph gives other ones/],
  ['an output without rows', 'graph.outputs.0', 3, /its first output must be f32\[B, outputs\]/],
  ['no outputs', 'graph.outputs', [], /its first output must be/],
  ['a parameter of another name', 'graph.params.3.name', 'V', /the cell declares \(x f32.*its graph takes/],
  ['another graph for inference', 'cells.0.inference.graph', 0, /inference: the cell declares/],
  ['a state twice', 'cells.0.states.+', { name: 'h', shape: [2] }, /names are not apart/],
  [
    'an initializer of another shape',
    'cells.0.params.1.init',
    { kind: 'orthogonal', gain: 1 },
    /not make \[2\]/,
  ],
  ['a rule of sizes', 'cells.0.params.0.regularizer.graphs.0.params.0.shape.0', 'B', /unknown size "B"/],
  [
    'a rule of two weights',
    'cells.0.params.0.regularizer.graphs.0',
    { params: [WEIGHT, WEIGHT], nodes: [], outputs: [0] },
    /2 parameters was called with 1/,
  ],
  [
    'a rule of another weight',
    'cells.0.params.0.shape',
    [2, 3],
    /: parameter weight is f32\[3, 2\]; received/,
  ],
  [
    'a penalty that is none',
    'cells.0.params.0.regularizer.graphs.0.outputs.0',
    0,
    /l2: .* it must make f32\[\]/,
  ],
  ['a rule that makes nothing', 'cells.0.params.0.constraint', ruleOf([]), /received undefined/],
  [
    'a rule of another kernel',
    'layers.1.options.kernelConstraint',
    ruleOf([0]),
    /weight is f32\[3, 2\]; received f32\[2, 2\]/,
  ],
  [
    'a mask that no graph takes',
    'cells.0.noise',
    [{ name: 'x', shape: [3], rate: 0.5 }],
    /training: the cell declares/,
  ],
  [
    'a mask of zeros',
    'cells.0.noise',
    [{ name: 'x', shape: [3], rate: 1 }],
    /rate must be a number of at least 0/,
  ],
  ['a mask without a name', 'cells.0.noise', [{ name: '', shape: [3], rate: 0.5 }], /"" is no name/],
  [
    'zoneout of nothing',
    'layers.0.options.zoneout',
    [{ state: 'x', rate: 0.5 }],
    /zoneout is of states, h, n; received x/,
  ],
  ['zoneout without rates', 'layers.0.options.zoneout', 'h', /zoneout: expected a number; received "h"/],
  ['an unknown initializer', 'cells.0.params.1.init.kind', 'code', /unknown initializer "code"/],
  ['no parts to join', 'cells.0.params.1.init', { kind: 'joined', parts: [] }, /joined does not make \[2\]/],
  [
    'a graph that is not there',
    'cells.0.training.graph',
    77,
    /training\.graph: there is no graph with number 77/,
  ],
  [
    'a guard that is false',
    'cells.0.training.guards.+',
    { left: 2, right: 3, message: 'so' },
    /guards\[0\]: so/,
  ],
  ['a guard left out', 'graph.nodes.2.shape.0', 'T', /cells\[0\]\.training: add: shapes/],
  ['feedback that is no state', 'cells.0.feedback', 'q', /cells\[0\]: its feedback names "q"/],
  [
    'untrained that is no state',
    'cells.0.untrained',
    ['q'],
    /untrained must be a list of \{h, n\}; received q/,
  ],
  ['fixed that is no parameter', 'cells.0.fixed', ['h'], /fixed must be a list of \{.*\}; received h/],
  ['feedback that is not the output', 'cells.0.feedback', 'n', /no state that holds its output/],
  ['a cell that is not there', 'layers.0.cell', 7, /layers\[0\]\.cell: there is no cell 7/],
  ['inputs of no size', 'cells.0.inputs', 0, /inputs: expected an integer from 1/],
  ['no inputs', 'cells.0.inputs', [], /inputs: expected sizes, or inputs by name; received none/],
  ['an image for a row', 'cells.0.inputs', [3, 1], /the cell declares \(x f32\[B, 3, 1\].*its graph takes/],
  ['an input of no shape', 'cells.0.inputs', [{ name: 'x' }], /inputs\[0\]: field shape is missing/],
  ['an input without a name', 'cells.0.inputs', [{ name: '', shape: [3] }], /"" is no name of an input/],
  ['half an image', 'cells.0.inputs', [3, { name: 'x', shape: [3] }], /inputs\[1\]: expected an integer/],
  [
    'an input too many',
    'cells.0.inputs',
    ['x', 'y'].map((name) => ({ name, shape: [3] })),
    /the cell declares \(x f32\[B, 3\], y f32\[B, 3\]/,
  ],
  [
    'a row by name',
    'cells.0.inputs',
    [{ name: 'constructor', shape: [3] }],
    /the cell declares \(constructor/,
  ],
  ['an unknown layer', 'layers.1.kind', 'lambda', /unknown layer "lambda"/],
  ['a name twice', 'layers.1.name', 'victim', /sequential: two layers are named victim/],
  ['an unknown option', 'layers.1.options.code', 1, /layers\[1\]\.options: unknown field "code"/],
  ['an option of prototypes', 'layers.1.options.activation', 'valueOf', /activation must be one of/],
  [
    'an activation of code',
    'layers.1.options.activation',
    { code: 'x' },
    /activation: field graphs is missing/,
  ],
  [
    'an activation that makes something else',
    'layers.1.options.activation',
    {
      graphs: [{ params: [{ name: 'x', shape: ['B', 3], dtype: 'f32' }], nodes: [], outputs: [0] }],
      root: { graph: 0, guards: [] },
    },
    /parameter x is f32\[.*3\]; received f32\[.*2\]/,
  ],
  [
    'an activation that makes nothing',
    'layers.1.options.activation',
    {
      graphs: [{ params: [{ name: 'x', shape: ['B', 2], dtype: 'f32' }], nodes: [], outputs: [] }],
      root: { graph: 0, guards: [] },
    },
    /dense, activation: .* received undefined/,
  ],
  [
    'an initializer for an option',
    'layers.1.options.biasInitializer',
    'zeros',
    /expected an object; received "zeros"/,
  ],
  [
    'an initializer of no bias',
    'layers.1.options.biasInitializer',
    { kind: 'identity', gain: 1 },
    /layers: identity does not make \[2\]/,
  ],
  [
    'a table that is not there',
    'layers.1.options.tiedTo',
    'nowhere',
    /layers: dense: .*parameter nowhere\/E/,
  ],
  ['an option that is missing', 'layers.1.options', {}, /units must be an integer/],
  ['more units than weights', 'layers.1.options.units', 3, /weights: parameter dense\/V/],
  ['input of another size', 'input.shape', [null, 2], /was saved for 3 inputs; received 2/],
  ['input without time', 'input.shape', [], /layers: .*expected a sequence/],
  ['no layers', 'layers', [], /at least one layer/],
  ['a weight that is marked', 'nonTrainable', ['dense/V'], /nonTrainable: names dense\/V; .* no variables/],
])('a hostile file is refused: %s', (_, path, value, message) => refuses(fileWith(path, value), message))

test.each([
  ['not JSON', '{"format": 1', /recurra: is not JSON/],
  ['lists within lists', '['.repeat(100_000) + ']'.repeat(100_000), /is nested more than 32 deep/],
  ['a prototype', '{"format": 1, "__proto__": {"cells": []}}', /a field named __proto__/],
  ['a number without end', '{"format": 1e999}', /format: expected an integer from .*received Infinity/],
  ['no object', 'null', /expected an object; received null/],
])('a hostile description is refused: %s', (_, text, message) => refuses(fileOf(text), message))

test('weights that are missing, extra or of another shape are refused, and metadata that is not ours', () => {
  const weights = (path: string, changed?: Tensor) => {
    const others = [...tensors].filter(([name]) => name !== path)
    return fileOf(
      metadata['recurra']!,
      new Map(changed === undefined ? others : [...others, [path, changed]]),
    )
  }
  refuses(weights('victim/U'), /weights: no numbers were given for parameter victim\/U/)
  refuses(weights('victim/X', tensor([1])), /weights: the model has no parameter victim\/X/)
  refuses(weights('victim/b', tensor([1])), /weights: parameter victim\/b is f32\[2\]; received f32\[1\]/)
  refuses(weights('victim/b', tensor(new Int32Array(2))), /received i32\[2\]/)
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY]) {
    refuses(
      weights('victim/b', tensor([0, odd])),
      new RegExp(`parameter "victim/b" holds ${odd} at element 1`),
    )
  }
  const { recurra } = metadata
  refuses(writeSafetensors(tensors, { recurra: recurra! }), /the file is damaged: its checksum/)
  refuses(writeSafetensors(tensors), /no description under "recurra"/)
  refuses(fileWithMetadata({ ...metadata, code: '1' }), /unknown metadata "code"/)
})
