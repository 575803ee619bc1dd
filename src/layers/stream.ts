/** A model that reads sequences as they come, one step a call. Loaded when a stream is opened. */
import { BACKENDS, type Backend, placeFor } from '../codegen/compile.ts'
import type { Steady } from '../codegen/executable.ts'
import { compileSteady } from '../codegen/steady.ts'
import { requireChoice, requireInteger, requireKnown, said } from '../tensor/checks.ts'
import type { Dtype, TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { elementCount, type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'
import { type Port, type StepGraph, type Streamable, traceStep } from './stream-graph.ts'

/** States by path ('lstm/h'), [rows, …], as `predictWithStates` gives them. */
export type StreamState = Readonly<Record<string, Tensor | readonly NestedNumbers[]>>

export interface StreamOptions {
  /** States to begin with; those left out begin as the layer says, as all do after a reset. */
  readonly initialState?: StreamState
  /** What runs it; see `fit`. Default: 'auto', in Node native code from 50,000 multiplications a step on, else WebAssembly. */
  readonly backend?: Backend
}

/** Numbers of one step, rows behind each other: of a Float32Array, or of an Int32Array for tokens; a number where it is one. */
export type StepNumbers = number | Float32Array | Int32Array | readonly number[]
/** What a step reads; by name where the model has several inputs. */
export type StepInput = StepNumbers | Readonly<Record<string, StepNumbers>>

/** `auto` takes a stream for so many steps. */
const STEPS = 1000

/** An input of the model, and where a step writes it. */
interface Face extends Port {
  readonly data: TensorData
  /** Elements of a row. */
  readonly width: number
  readonly sequence: boolean
  /** Tokens are below it, where a layer looks them up. */
  readonly vocabulary: number
  /** Something was written there. */
  written: boolean
}

interface State extends Port {
  readonly data: TensorData
  readonly begin: TensorData
  readonly width: number
}

export async function openStream(
  model: Streamable,
  rows: number,
  options: StreamOptions = {},
): Promise<Stream> {
  requireInteger('streams', 'the number of streams', rows, 1)
  requireKnown('stream', options, ['initialState', 'backend'])
  const { backend, initialState = {} } = options
  requireChoice('stream', 'backend', backend ?? 'auto', BACKENDS)
  const step = traceStep(model, rows)
  const { graph, donate, weights } = step
  const steady = await compileSteady(graph, {
    ...{ backend: (await placeFor(graph, { backend }, new Map(), STEPS)).backend, donate },
    constants: new Set(weights.values()),
  })
  const stream = new Stream(model, rows, step, steady)
  stream.setState(initialState)
  return stream
}

/**
 * Sequences that a model reads side by side, each a row with states of its own: one of `model.stream()`, n of
 * `model.streams(n)`. Calls are synchronous and, from typed arrays, allocate nothing.
 */
export class Stream {
  /** How many sequences. */
  readonly rows: number
  /** Outputs by name after the last step, [rows, …]: views that the next step overwrites. */
  readonly outputs: Readonly<Record<string, Float32Array>>
  /** What runs it. */
  readonly backend: Steady['backend']
  readonly #model: Streamable
  readonly #steady: Steady
  readonly #run: () => void
  readonly #output: Float32Array
  readonly #faces: readonly Face[]
  readonly #states: ReadonlyMap<string, State>
  readonly #weights: ReadonlyMap<string, TensorData>
  /** 1 where a row goes on; nothing for a single row. */
  readonly #active: TensorData
  #allActive = false

  /** Not for users: `model.stream()` opens one. */
  constructor(model: Streamable, rows: number, step: StepGraph, steady: Steady) {
    const { inputs, outputs } = steady
    this.#model = model
    this.#steady = steady
    this.#run = steady.run
    this.rows = rows
    this.backend = steady.backend
    this.#faces = step.inputs.map((port) => ({
      ...port,
      data: inputs[port.place]!,
      width: elementCount(port.shape),
      sequence: typeof model.built.inputs.get(port.name)!.shape[0] !== 'number',
      vocabulary: vocabularyOf(model, port.name),
      written: false,
    }))
    this.#states = new Map(
      [...step.states].map(([path, port]) => [
        path,
        { ...port, data: inputs[port.place]!, begin: outputs[port.begin]!, width: elementCount(port.shape) },
      ]),
    )
    this.#weights = new Map([...step.weights].map(([path, place]) => [path, inputs[place]!]))
    this.#active = step.active === undefined ? new Int32Array(0) : inputs[step.active]!
    const views = step.outputs.map(({ name, place }) => {
      const given = step.donate.get(place)
      return [name, (given === undefined ? outputs[place] : inputs[given]) as Float32Array] as const
    })
    this.outputs = Object.fromEntries(views)
    this.#output = views[0]![1]
    this.refresh()
    this.reset()
  }

  /**
   * Reads one step of every row, x [rows, …], or of those of `rows` alone, x [rows.length, …]: the others keep their states
   * and outputs. Inputs without time, of a model that has some, may be left out: they stay as they were given last.
   *
   * @returns the model's output after it, [rows, …] (of several the first; see `outputs`): a view of the same memory each
   *   time, which the next step overwrites
   * @throws {ArgumentError} for x of another type, or a row that there is not or twice
   * @throws {ShapeError} for x of another size
   * @throws {DataError} for a token that the vocabulary has not
   */
  step(x: StepInput, rows?: ArrayLike<number>): Float32Array {
    this.#select(rows)
    const faces = this.#faces
    if (typeof x === 'number' || ArrayBuffer.isView(x) || Array.isArray(x)) {
      if (faces.length > 1) throw new ArgumentError(`step: the model reads ${this.#names()}; received one`)
      this.#write(faces[0]!, x as StepNumbers, rows)
    } else this.#writeAll(x as Readonly<Record<string, StepNumbers>>, rows)
    if (rows?.length !== 0) this.#run()
    return this.#output
  }

  /** All rows begin anew, or the one of that number. */
  reset(row?: number): void {
    if (row !== undefined) this.#requireRow('reset', row)
    for (const { data, begin, width } of this.#states.values()) {
      if (row === undefined) data.set(begin)
      else data.set(begin.subarray(row * width, (row + 1) * width), row * width)
    }
  }

  /** Copies of all states by path, [rows, …], or of a row, [1, …]: what `setState` takes, in another process too. */
  state(row?: number): Record<string, Tensor> {
    if (row !== undefined) this.#requireRow('state', row)
    const entries = [...this.#states].map(([path, { data, shape, width, dtype }]): [string, Tensor] => [
      path,
      row === undefined
        ? { data: data.slice(), shape: [this.rows, ...shape], dtype }
        : { data: data.slice(row * width, (row + 1) * width), shape: [1, ...shape], dtype },
    ])
    return Object.fromEntries(entries)
  }

  /**
   * Goes on from these states, [rows, …], or with a row from those of one, [1, …]. Those left out stay as they are.
   *
   * @throws {ArgumentError} for a state that the model has not
   * @throws {ShapeError} for one of another shape
   */
  setState(states: StreamState, row?: number): void {
    if (row !== undefined) this.#requireRow('setState', row)
    requireKnown('stream', states, [...this.#states.keys()], 'state')
    const given = Object.entries(states).map(([path, value]) => {
      const { data, shape, width } = this.#states.get(path)!
      const {
        data: numbers,
        shape: own,
        dtype,
      } = isTensor(value) ? tensor(value.data, value.shape, value.dtype) : tensor(value)
      const expected = [row === undefined ? this.rows : 1, ...shape]
      if (dtype !== 'f32' || String(own) !== String(expected)) {
        throw new ShapeError(
          `stream: state ${path} must be f32[${expected.join(', ')}]; received ${dtype}[${own.join(', ')}]`,
        )
      }
      return () => data.set(numbers, (row ?? 0) * width)
    })
    for (const set of given) set()
  }

  /** Takes the weights that the model has now: after `fit` or `setWeights`. States stay. */
  refresh(): void {
    const weights = this.#model.weights()
    for (const [path, data] of this.#weights) data.set(weights.get(path)!.data)
    this.#steady.prepare()
  }

  /** Says which rows go on. */
  #select(rows: ArrayLike<number> | undefined): void {
    const active = this.#active
    if (rows === undefined) {
      if (!this.#allActive) active.fill(1)
      this.#allActive = true
      return
    }
    if (typeof rows !== 'object' || rows === null) {
      throw new ArgumentError(`step: rows are a list of numbers; received ${said(rows)}`)
    }
    this.#allActive = false
    active.fill(0)
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!
      this.#requireRow('step', row)
      if (active[row] === 1 || (i > 0 && this.rows === 1))
        throw new ArgumentError(`step: row ${row} is there twice`)
      if (this.rows > 1) active[row] = 1
    }
  }

  #writeAll(x: Readonly<Record<string, StepNumbers>>, rows: ArrayLike<number> | undefined): void {
    if (typeof x !== 'object' || x === null) {
      throw new ArgumentError(`step: expected the numbers of a step, ${this.#names()}; received ${said(x)}`)
    }
    for (const name in x) {
      if (!this.#faces.some((face) => face.name === name)) {
        throw new ArgumentError(`step: the model reads ${this.#names()}; received ${name}`)
      }
    }
    for (const face of this.#faces) {
      const own = x[face.name]
      if (own !== undefined && own !== null) this.#write(face, own, rows)
      else if (face.sequence || !face.written)
        throw new ArgumentError(`step: expected ${this.#names()}; received no ${face.name}`)
    }
  }

  /** Writes an input of all rows, or of those that are given. */
  #write(face: Face, x: StepNumbers, rows: ArrayLike<number> | undefined): void {
    const { data, width } = face
    const count = rows === undefined ? this.rows : rows.length
    const isOne = typeof x === 'number'
    if ((isOne ? 1 : x.length) !== count * width) {
      const shape = [count, ...face.shape].join(', ')
      throw new ShapeError(
        `step: input ${face.name} of a step is [${shape}], ${count * width} numbers; received ${isOne ? 1 : x.length}`,
      )
    }
    checkNumbers(face, x)
    face.written = true
    if (isOne) data[width * (rows?.[0] ?? 0)] = x
    else if (rows === undefined) data.set(x)
    else {
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < width; j++) data[rows[i]! * width + j] = x[i * width + j]!
      }
    }
  }

  #requireRow(what: string, row: number): void {
    if (Number.isInteger(row) && row >= 0 && row < this.rows) return
    throw new ArgumentError(`${what}: rows are 0 … ${this.rows - 1}; received ${said(row)}`)
  }

  #names(): string {
    return this.#faces.length === 1 ? 'one input' : `{ ${this.#faces.map(({ name }) => name).join(', ')} }`
  }
}

const FITS: Readonly<Record<Dtype, (value: number) => boolean>> = {
  f32: (value) => typeof value === 'number',
  i32: (value) => (value | 0) === value,
  bool: (value) => value === 0 || value === 1,
}

/** @throws {ArgumentError | DataError} for numbers of another type, and tokens that there are not */
function checkNumbers({ name, data, dtype, vocabulary }: Face, x: StepNumbers): void {
  if (typeof x !== 'number' && x.constructor !== data.constructor && !Array.isArray(x)) {
    throw new ArgumentError(
      `step: input ${name} takes ${dtype} numbers in a ${data.constructor.name}; received a ${x.constructor.name}`,
    )
  }
  if (dtype === 'f32' && !Array.isArray(x)) return
  const count = typeof x === 'number' ? 1 : x.length
  for (let i = 0; i < count; i++) {
    const value = typeof x === 'number' ? x : x[i]
    const fits = FITS[dtype](value!)
    if (!fits)
      throw new DataError(`step: input ${name} takes ${dtype} numbers; received ${said(value)} at ${i}`)
    if (vocabulary !== Infinity && (value! < 0 || value! >= vocabulary)) {
      throw new DataError(`step: a token must lie in 0 … ${vocabulary - 1}; received ${value} at ${i}`)
    }
  }
}

/** The smallest vocabulary of the layers that look an input's tokens up. */
function vocabularyOf({ calls }: Streamable, input: string): number {
  return Math.min(
    ...calls.flatMap(({ layer: { vocabulary }, from: [source] }) =>
      vocabulary !== undefined && source !== undefined && 'input' in source && source.input === input
        ? [vocabulary]
        : [],
    ),
  )
}
