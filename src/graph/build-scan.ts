/** The constructor of scans, which infers and checks types as those of build.ts do. */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, type Shape, type Size, symbolsOf } from '../tensor/size.ts'
import { requireEqual } from './guards.ts'
import { type Graph, intern, type Node, type ScanNode, scanParts } from './node.ts'
import type { OpOf, Packing } from './ops.ts'

export interface ScanSpec {
  readonly body: Graph
  readonly carries: readonly Node[]
  readonly xs: readonly Node[]
  readonly consts: readonly Node[]
  readonly steps: Size
  readonly reverse: boolean
  readonly packed?: Packed | undefined
  /** Default: false. */
  readonly checkpoint?: boolean
}

/** A packing, and how many rows are alive at each step: i32 [steps], no step more than the one before. */
export interface Packed {
  readonly packing: Packing
  readonly counts: Node
}

/** What a scan was made of, with inputs in the place of its own. */
export function scanSpec({ op }: ScanNode, inputs: readonly Node[]): ScanSpec {
  const { body, steps, reverse, packing, checkpoint } = op
  const packed = packing === undefined ? undefined : { packing, counts: inputs[body.params.length]! }
  return { ...scanParts(op, inputs), body, steps, reverse, packed, checkpoint }
}

/** Whether a body's node has one row for each that is alive. */
export function isByRow({ shape }: Node, packing: Packing | undefined): boolean {
  return packing !== undefined && shape[0] === packing.alive
}

/**
 * Whether what a body's node holds at every step can stand in one buffer: the rows alive may be its axis 0 and nothing
 * else, since what lies behind them would be of another size at each step.
 */
export function isStackable({ shape }: Node, packing: Packing | undefined): boolean {
  if (packing === undefined) return true
  const { alive } = packing
  const rest = shape[0] === alive ? shape.slice(1) : shape
  return !rest.some((size) => symbolsOf(size).has(alive.key))
}

/** The shape outside of a state or constant of the body. */
export function heldShape(inner: Node, packing: Packing | undefined): Shape {
  return isByRow(inner, packing) ? inner.shape.with(0, packing!.rows) : inner.shape
}

/** The shape outside of what the body reads or yields at each step. */
export function stackedShape(inner: Node, op: Pick<OpOf<'scan'>, 'steps' | 'packing'>): Shape {
  return isByRow(inner, op.packing) ? inner.shape.with(0, op.packing!.total) : [op.steps, ...inner.shape]
}

/** Makes a scan and returns its outputs: the final states, then the stacked yields. */
export function scanOutputs(spec: ScanSpec): Node[] {
  const { body, carries, xs, consts, steps, reverse, packed, checkpoint = false } = spec
  const packing = packed?.packing
  const op = {
    kind: 'scan',
    body,
    carries: carries.length,
    consts: consts.length,
    steps,
    reverse,
    packing,
    checkpoint,
  } as const
  const inputs = [...carries, ...xs, ...consts]
  if (inputs.length !== body.params.length) {
    throw new ArgumentError(`scan: the body has ${body.params.length} parameters; received ${inputs.length}`)
  }
  const parts = scanParts(op, body.params)
  for (const [i, each] of carries.entries())
    check('initial state', i, heldShape(parts.carries[i]!, packing), each.shape)
  for (const [i, each] of xs.entries()) check('per-step input', i, stackedShape(parts.xs[i]!, op), each.shape)
  for (const [i, each] of consts.entries())
    check('constant', i, heldShape(parts.consts[i]!, packing), each.shape)
  if (packed !== undefined) {
    check('count', 0, [steps], packed.counts.shape)
    if (packed.counts.dtype !== 'i32') throw typeError('i32 counts', packed.counts)
  }
  if (body.outputs.length < carries.length) {
    throw new ArgumentError(
      `scan: ${carries.length} states need as many outputs; received ${body.outputs.length}`,
    )
  }
  for (const i of carries.keys()) {
    const [state, next] = [parts.carries[i]!, body.outputs[i]!]
    check('next state', i, state.shape, next.shape)
    if (next.dtype !== state.dtype) throw typeError(`${state.dtype} for next state ${i}`, next)
  }
  for (const each of body.outputs.slice(carries.length)) {
    if (isStackable(each, packing)) continue
    throw new ShapeError(
      `scan of packed rows: what a step yields may have the rows alive as axis 0 alone; received ${printShape(each.shape)}`,
    )
  }
  for (const [i, input] of inputs.entries()) {
    if (input.dtype !== body.params[i]!.dtype)
      throw typeError(`${body.params[i]!.dtype} for input ${i}`, input)
  }
  const scan = intern(op, packed === undefined ? inputs : [...inputs, packed.counts], [], 'f32')
  return body.outputs.map((_, index) => outputOf(scan, index))
}

function check(what: string, i: number, expected: Shape, received: Shape): void {
  const message = () =>
    `scan: ${what} ${i} has shape ${printShape(received)}; the body expects ${printShape(expected)}`
  if (expected.length !== received.length) throw new ShapeError(message())
  for (const [axis, each] of expected.entries()) requireEqual(each, received[axis]!, message)
}

function typeError(expected: string, { dtype, shape }: Node): ArgumentError {
  return new ArgumentError(`scan expects ${expected}; received ${dtype}${printShape(shape)}`)
}

/** Output `index` of a scan node. */
export function outputOf(scan: Node, index: number): Node {
  const op = scan.op
  if (op.kind !== 'scan') throw new ArgumentError(`output: expected a scan; received ${op.kind}`)
  const yielded = op.body.outputs[index]
  if (yielded === undefined)
    throw new ArgumentError(`output: the scan has ${op.body.outputs.length} outputs, not ${index}`)
  const shape = index < op.carries ? heldShape(yielded, op.packing) : stackedShape(yielded, op)
  return intern({ kind: 'output', index }, [scan], shape, yielded.dtype)
}
