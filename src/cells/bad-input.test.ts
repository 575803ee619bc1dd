/** Declarations and steps that do not hold together throw typed errors that say what was expected and what came. */
import { expect, test } from 'vitest'
import type { Value } from '../graph/value.ts'
import { glorotUniform } from '../init/initializers.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { clockworkCell } from './clockwork.ts'
import { convLstm1dCell, convLstm2dCell } from './conv-lstm.ts'
import { defineCell } from './define.ts'
import { lruCell } from './lru.ts'
import { lstmCell } from './lstm.ts'

const declaration = {
  name: 'mine',
  state: () => ({ h: 2 }),
  params: ({ inputs }: { inputs: number }) => ({ U: glorotUniform(inputs, 2) }),
}
type Input = { x: Value; state: { h: Value }; params: { U: Value } }
const good = ({ x, params: { U } }: Input) => ({ output: x.matmul(U), state: { h: x.matmul(U) } })
/** Declares, builds and traces a cell with what TypeScript would not let through. */
const declare = (change: object, step: unknown = good) =>
  defineCell<object>()({ ...declaration, ...change } as never)
    .step(step as never)({})
    .trace(3)
const step = (change: (result: ReturnType<typeof good>, input: Input) => unknown) =>
  declare({}, (input: Input) => change(good(input), input))

test('what the table changes is good', () => {
  expect(declare({}).states).toEqual({ h: [2] })
})

test.each<[string, () => unknown, new (message: string) => Error, RegExp]>([
  [
    'no declaration',
    () => defineCell()(null as never),
    ArgumentError,
    /defineCell: expected an object.*null/,
  ],
  [
    'a misspelt entry',
    () => declare({ states: () => ({}) }),
    ArgumentError,
    /no option states; expected name, state/,
  ],
  ['a name', () => declare({ name: 7 }), ArgumentError, /name must be a text; received 7/],
  [
    'states that are no function',
    () => declare({ state: { h: 2 } }),
    ArgumentError,
    /state must be a function.*object/,
  ],
  [
    'no parameters',
    () => declare({ params: undefined }),
    ArgumentError,
    /params must be a function.*undefined/,
  ],
  ['no step', () => declare({}, null), ArgumentError, /step must be a function; received object/],
  [
    'no states',
    () => declare({ state: () => undefined }),
    ArgumentError,
    /cell mine: state must give.*undefined/,
  ],
  [
    'states in a list',
    () => declare({ state: () => [2] }),
    ArgumentError,
    /cell mine: state must give.*a list/,
  ],
  [
    'no parameters given',
    () => declare({ params: () => null }),
    ArgumentError,
    /cell mine: params must give.*null/,
  ],
  ...[0, -1, 1.5, Number.NaN, '2', null, {}, [0], [2, 1.5]].map(
    (h): [string, () => unknown, new (message: string) => Error, RegExp] => [
      `a state of ${JSON.stringify(h)}`,
      () => declare({ state: () => ({ h }) }),
      ArgumentError,
      /cell mine: state h needs sizes.*received/,
    ],
  ),
  [
    'a state of two words',
    () => declare({ state: () => ({ 'h t': 2 }) }),
    ArgumentError,
    /named by words.*"h t"/,
  ],
  [
    'a shape for a parameter',
    () => declare({ params: () => ({ U: [3, 2] }) }),
    ArgumentError,
    /cell mine: U must be/,
  ],
  [
    'an odd initializer',
    () => declare({ params: () => ({ U: { shape: [3, 2], init: {} } }) }),
    ArgumentError,
    /cell mine: U.*kind of/,
  ],
  [
    'a misspelt state',
    () => step(({ output }) => ({ output, state: { hh: output } })),
    ArgumentError,
    /states \{h\}; received \{hh\}; missing: h; not a state: hh/,
  ],
  [
    'an extra state',
    () => step(({ output }) => ({ output, state: { h: output, c: output } })),
    ArgumentError,
    /received \{h, c\}; not a state: c/,
  ],
  [
    'a misspelt result',
    () => step(({ output }) => ({ output, states: { h: output } })),
    ArgumentError,
    /states \{h\}; received \{\}; missing: h/,
  ],
  [
    'a state of a number',
    () => step(({ output }) => ({ output, state: { h: 1 } })),
    ArgumentError,
    /state h: expected a symbolic value; received number/,
  ],
  [
    'a state of another shape',
    () => step(({ output }, { x }) => ({ output, state: { h: x } })),
    ShapeError,
    /state h is f32\[B, 2\].*f32\[B, 3\]/,
  ],
  [
    'no result',
    () => step(() => undefined),
    ArgumentError,
    /cell mine: its step must return \{ output, state \}/,
  ],
  [
    'an output without rows',
    () => step(({ output, state }) => ({ output: output.sum(), state })),
    ShapeError,
    /output must be f32\[B, outputs\]; received f32\[\]/,
  ],
  [
    'a misspelt parameter',
    () => step(({ state }, { params }) => ({ output: (params as unknown as { W: Value }).W, state })),
    ArgumentError,
    /reads 'W'; there are only \{U\}/,
  ],
  [
    'feedback that is no state',
    () => declare({ feedback: 'o' }),
    ArgumentError,
    /feedback.*received o.*\{h\}/,
  ],
  ...['h', ['h', 'q'], [0], null].map(
    (untrained): [string, () => unknown, new (message: string) => Error, RegExp] => [
      `untrained: ${JSON.stringify(untrained)}`,
      () => declare({ untrained }),
      ArgumentError,
      /cell mine: untrained must be a list of \{h\}; received/,
    ],
  ),
  [
    'fixed parameters that are none',
    () => declare({ fixed: ['h'] }),
    ArgumentError,
    /fixed must be a list of \{U\}/,
  ],
  [
    'units that periods do not divide',
    () => clockworkCell({ units: 6 }),
    ArgumentError,
    /clockwork: units must be a multiple of 4, the number of periods; received 6/,
  ],
  [
    'a ring without width',
    () => lruCell({ units: 2, minRadius: 0.5, maxRadius: 0.5 }),
    ArgumentError,
    /lru: minRadius must be below maxRadius; received 0.5 and 0.5/,
  ],
  ...[null, 0, 1.5, '3', [3], {}, { video: 0 }, { 'a b': 1 }].map(
    (inputs): [string, () => unknown, new (message: string) => Error, RegExp] => [
      `${JSON.stringify(inputs)} as axes of inputs`,
      () => declare({ inputs }),
      ArgumentError,
      /defineCell: inputs must be a number of axes.*received/,
    ],
  ),
  ...[3, [2, 0, 1], [2, 2], { x: [2, 2, 1] }, null].map(
    (inputs): [string, () => unknown, new (message: string) => Error, RegExp] => [
      `${JSON.stringify(inputs)} for an image`,
      () => convLstm2dCell({ filters: 1, kernelSize: 1 }).trace(inputs as never),
      ArgumentError,
      /cell convLstm2d: expected sizes of at least 1, 3 of x; received/,
    ],
  ),
  [
    'a kernel larger than what it moves over',
    () => convLstm2dCell({ filters: 1, kernelSize: [2, 3] }).trace([4, 2, 1]),
    ShapeError,
    /convLstm2d: the kernel, \[2, 3\] .* does not fit into \[4, 2\]; .*padding: 'same'/,
  ],
  [
    'strides of what is dilated',
    () => convLstm1dCell({ filters: 1, kernelSize: 2, strides: 2, dilationRate: 3 }),
    ArgumentError,
    /convLstm1d: expected strides or a dilationRate above 1; received both, 2 and 3/,
  ],
  ...[0, 1.5, Number.NaN, '3', null, [3]].map(
    (inputs): [string, () => unknown, new (message: string) => Error, RegExp] => [
      `${inputs} inputs`,
      () => lstmCell({ units: 2 }).trace(inputs as never),
      ArgumentError,
      /received/,
    ],
  ),
])('%s', (_, act, kind, said) => {
  expect(act).toThrow(kind)
  expect(act).toThrow(said)
})
