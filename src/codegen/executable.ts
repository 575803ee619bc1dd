/** What every backend implements: a compiled graph that is called with sizes and numbers. */
import type { Dtype, TensorData } from '../tensor/dtype.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { type Bindings, evaluateSize, productOf, type Shape } from '../tensor/size.ts'
import type { Kernel, Program } from './program.ts'

export interface Call {
  /** A value for every symbol in the shapes. */
  readonly bindings: Bindings
  /** Numbers for inputs, by their place. An input that is left out keeps what it holds. */
  readonly inputs: ReadonlyMap<number, TensorData>
  /** The outputs that are wanted, by their place. */
  readonly outputs: readonly number[]
}

export interface Executable {
  /** What runs it. */
  readonly backend: 'native' | 'wasm' | 'interpret'
  /** Runs once; resolves to copies of the wanted outputs. Calls run in the order in which they are made. */
  call(call: Call): Promise<TensorData[]>
  /** A copy of what an input holds: a parameter after its update in place. */
  read(input: number): Promise<TensorData>
  /** Bytes of memory that a call under these sizes needs. */
  memoryBytes(bindings: Bindings): number
}

/** A graph whose sizes are numbers, compiled for calls that must cost next to nothing: see steady.ts. */
export interface Steady {
  /** What runs it. */
  readonly backend: Executable['backend']
  /** The numbers of inputs and outputs where they stand: to be written and read between runs. */
  readonly inputs: readonly TensorData[]
  readonly outputs: readonly TensorData[]
  /** Computes what depends on constant inputs alone: to be called when they have been written. */
  prepare(): void
  run(): void
}

/** A program that counts the time of each kernel, on the caller's thread. */
export interface Profiled {
  readonly executable: Executable
  readonly program: Program
  /** Milliseconds of each kernel in the calls since this was last asked. */
  takeTimes(): ReadonlyMap<Kernel, number>
}

export interface Face {
  readonly name: string
  readonly shape: Shape
  readonly dtype: Dtype
}

/** Throws unless the data fits an input's shape under the bindings. */
export function checkInput(face: Face, data: TensorData, bindings: Bindings): void {
  const elements = evaluateSize(productOf(face.shape), bindings)
  const expected = face.dtype === 'f32' ? Float32Array : Int32Array
  const shape = face.shape.map((size) => evaluateSize(size, bindings)).join(', ')
  if (!(data instanceof expected)) {
    throw new ArgumentError(
      `input ${face.name} takes a ${expected.name}, received a ${data.constructor.name}`,
    )
  }
  if (data.length !== elements) {
    throw new ShapeError(
      `input ${face.name} has shape [${shape}], ${elements} elements; received ${data.length}`,
    )
  }
}

export function neverWritten(face: Face): ArgumentError {
  return new ArgumentError(`input ${face.name} has no value yet: pass one in its first call`)
}
